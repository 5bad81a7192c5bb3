"""What is made, settled before anything is: canonical, placed, priced, fitted. Nobody parses after it."""

from pulumi_llm.resolve.graph import Foreign, ResolvedProxy, ResolvedServer, ResolvedVectors, Site

__all__ = ["Foreign", "ResolvedProxy", "ResolvedServer", "ResolvedVectors", "Site"]
