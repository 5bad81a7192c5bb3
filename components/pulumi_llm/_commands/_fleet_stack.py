"""Commands that are about machines of a platform, and a stack that is a fleet: what is to be done in their place."""

from __future__ import annotations

from argparse import Namespace

from pulumi_llm._plan import project as projects
from pulumi_llm._simcloud.store import home_beside
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

PART = "fleet"
INSTEAD = {
    "status": _("`kubectl get pods -n NAMESPACE`, with the output kubeconfig, or the one that the fleet was given"),
    "stop": _("nodes of a fleet stand still by no command: `pulumi destroy` ends what they cost"),
    "start": _("`pulumi up` makes what is missing"),
    "recover": _("`pulumi up` makes what is missing"),
    "keys": _("its keys are those of `keys` in its file: `pulumi up` changes them while the gateway runs"),
    "usage": _("`/metrics` at the fleet's gateway has requests and tokens of each key"),
    "monitoring": _("without -s: rules and board; what to scrape is the Service of the fleet's gateway"),
    "vectors": _(
        "a fleet's vector store has no backups from here; a VectorStore of its own, in a stack beside it, has"
    ),
    "snapshots": _("a fleet's gateway keeps its ledger on a claim; its storage class makes snapshots"),
    "render": _("a fleet has no machine with user data; `pulumi-llm plan --json` has all its objects"),
    "bundle": _("a fleet installs nothing on its nodes: `registry` and `package_index` name mirrors that are near"),
}
"""What does it for a fleet, by the command's name."""


def refuse(asked: Namespace, command: str) -> None:
    """Nothing where the stack is no fleet, or cannot be read: the command itself says so.

    Raises:
        Refusal: ``fleet.no-command`` where it is one.
    """
    stack = getattr(asked, "stack", None)
    if not stack or not _is_fleet(asked, stack):
        return
    message = _("the stack {stack!r} is a fleet, and `pulumi-llm {command}` is about machines of a platform",
                stack=stack, command=command)  # fmt: skip
    raise Refusal([Finding("fleet.no-command", message, INSTEAD[command])])


def _is_fleet(asked: Namespace, stack: str) -> bool:
    try:
        project = projects.find(asked.project)
        if getattr(asked, "sim", False):  # what was set in the simulation counts there
            mirrored = projects.at(home_beside(project.folder) / "project")
            if mirrored is not None and mirrored.stack_file(stack).is_file():
                project = mirrored
        found = projects.read_stack(project, stack).values.get(projects.full_name(project.name, PART))
    except Refusal:
        return False
    return bool(found)
