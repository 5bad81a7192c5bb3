"""The component host: `pulumi package add` runs this module so that other languages can use the components."""

from pulumi.provider.experimental import component_provider_host

from pulumi_llm import Network, OverseasProxy, Platform, VectorStore, __version__
from pulumi_llm.model_server import ModelServer

if __name__ == "__main__":
    component_provider_host(
        [ModelServer, Network, OverseasProxy, Platform, VectorStore], name="llm", version=__version__
    )
