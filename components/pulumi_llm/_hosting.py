"""The components for programs in other languages: what the engine is served when it starts this package as a plugin."""

from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi.provider import ConstructResult, main
from pulumi.provider.experimental.analyzer import ComponentDefinition
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.server import ComponentInitError

from pulumi_llm import _refusal
from pulumi_llm.errors import Refusal


class Components(ComponentProvider):
    """The package's components. They alone judge their arguments, so that all mistakes are told at once.

    The SDK's own host (pulumi 3.272) tells one missing argument, drops those that it does not know, and answers an
    exception of a component, whichever, with a traceback.
    """

    def map_inputs(self, inputs: pulumi.Inputs, component_def: ComponentDefinition) -> pulumi.Inputs:
        """The arguments as Python spells them; unknown ones too, for the component to refuse."""
        return {component_def.inputs_mapping.get(name, name): value for name, value in inputs.items()}

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
            spelling = self._component_defs[resource_type.rsplit(":", 1)[-1]].inputs_mapping
            raise _refusal.of_properties(failed.inner, name, inputs, spelling) from None


def serve(components: Sequence[type[Any]], name: str, version: str, arguments: Sequence[str]) -> None:
    """Host the components until the engine is done; ``arguments`` hold its address."""
    _refusal.serve_other_languages()
    main(Components(list(components), name, version=version), list(arguments))
