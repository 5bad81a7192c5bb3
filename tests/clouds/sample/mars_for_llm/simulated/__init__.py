"""What the sample cloud refuses."""

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call, CloudError, Rules

RULES = Rules()


@RULES.on_create("mars:index/server:Server")
def _server(call: Call) -> Props:
    if call.faults.no_stock(str(call.inputs["size"]), str(call.inputs["site"])):
        raise CloudError(f"mars: no {call.inputs['size']} is left at {call.inputs['site']}")
    return {}
