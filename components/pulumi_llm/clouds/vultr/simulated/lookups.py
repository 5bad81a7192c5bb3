"""Vultr: what its look-ups answer."""

from __future__ import annotations

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud import images
from pulumi_llm._simcloud.lookups import Answer
from pulumi_llm._simcloud.rules.base import CloudError
from pulumi_llm._simcloud.simulator import Simulator


def get_os(args: Props, simulator: Simulator) -> Props:
    """The one operating system that passes all filters. Raises CloudError where it is not one."""
    rows = [
        {"id": each.id, "name": each.name, "arch": "x64", "family": each.family}
        for each in images.public("vultr", "", simulator.faults)
    ]
    if not args.get("filters"):
        raise CloudError("issue with filter: false")
    for each in args["filters"]:
        rows = [row for row in rows if str(row.get(each["name"])) in [str(value) for value in each["values"]]]
    if len(rows) > 1:
        raise CloudError("your search returned too many results. Please refine your search to be more specific")
    if not rows:
        raise CloudError("no results were found")
    return {"filters": args["filters"], **rows[0]}


ANSWERS: dict[str, Answer] = {"vultr:index/getOs:getOs": get_os}
