"""The components for programs in other languages: what the engine is served when it starts this package as a plugin."""

import inspect
import json
import re
from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi.provider import ConstructResult, main
from pulumi.provider.experimental.analyzer import ComponentDefinition
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.server import ComponentInitError

from pulumi_llm import _refusal, _spelling
from pulumi_llm.errors import Refusal

COMPONENTS = ("Fleet", "ModelServer", "Network", "OverseasProxy", "Platform", "VectorStore", "WorkerProxy")
"""What the package offers to other languages."""


class Components(ComponentProvider):
    """The package's components. They alone judge their arguments, so that all mistakes are told at once.

    The SDK's own host (pulumi 3.272) tells one missing argument, drops those that it does not know, and answers an
    exception of a component, whichever, with a traceback.
    """

    def __init__(self, components: Sequence[type[Any]], name: str, version: str) -> None:
        super().__init__(list(components), name, version=version)
        self._declared = {each.__name__: inspect.get_annotations(each.__init__)["args"] for each in components}
        # `KeyArgs` is what Python users write. The SDKs of other languages put an "Args" of their own behind a type.
        schema = re.sub(rf'(?<="{name}:index:)(\w+)Args(?=":)', r"\1", json.dumps(json.loads(self.schema or "{}")))
        self.schema = re.sub(rf'("#/types/{name}:index:\w+)Args"', r'\1"', schema)

    def map_inputs(self, inputs: pulumi.Inputs, component_def: ComponentDefinition) -> pulumi.Inputs:
        """The arguments as Python spells them, at every level; unknown ones too, for the component to refuse."""
        return _spelling.to_python(inputs, self._declared[component_def.name])

    def construct(
        self,
        name: str,
        resource_type: str,
        inputs: pulumi.Inputs,
        options: pulumi.ResourceOptions | None = None,
    ) -> ConstructResult:
        """Make a component. Raises what the host passes on as a message, where the component refuses."""
        try:
            return super().construct(name, resource_type, inputs, options)
        except ComponentInitError as failed:
            if not isinstance(failed.inner, Refusal):
                raise
            refusal = failed.inner
        except Refusal as clash:
            refusal = Refusal(each.placed(name) for each in clash.findings)
        declared = self._declared[resource_type.rsplit(":", 1)[-1]]
        names = _spelling.schema_names(declared)
        raise _refusal.of_properties(
            refusal, name, inputs, names, lambda steps: _spelling.schema_path(steps, declared)
        ) from None


def serve(components: Sequence[type[Any]], name: str, version: str, arguments: Sequence[str]) -> None:
    """Host the components until the engine is done; ``arguments`` hold its address."""
    _refusal.serve_other_languages()
    main(Components(components, name, version), list(arguments))
