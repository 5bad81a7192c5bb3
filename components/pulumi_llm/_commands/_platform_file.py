"""The platform in a stack's file, for commands that write one key of it and then run `pulumi up`."""

from __future__ import annotations

from argparse import Namespace

from pulumi_llm import _engine_yaml, spec
from pulumi_llm._commands._recover_engine import Pulumi
from pulumi_llm._plan import project as projects
from pulumi_llm._simcloud.store import home_beside

PART = "platform"


def read(asked: Namespace) -> spec.PlatformSpec | None:
    """The platform that the stack's file describes; None where it has no such value: a program of somebody's own."""
    project = projects.find(asked.project)
    if asked.sim:  # what was set in the simulation counts there
        mirrored = projects.at(home_beside(project.folder) / "project")
        known = mirrored is not None and mirrored.stack_file(asked.stack).is_file()
        project = mirrored if known and mirrored is not None else project
    text = projects.read_stack(project, asked.stack).values.get(projects.full_name(project.name, PART))
    # Of a fleet's stack the project's own default is the empty text.
    return None if not text else spec.parse(spec.PlatformSpec, _engine_yaml.load(text), where=PART)


def write(pulumi: Pulumi, key: str, value: str | None) -> str:
    """Write a key of the platform, such as ``server.alternative``, or take it out (None).

    Gives what Pulumi said where it could not; empty: it is written.
    """
    path = f"{PART}.{key}"
    words = ("set", "--path", path, value) if value is not None else ("rm", "--path", path)
    done = pulumi.run("config", *words, shown=False)
    return " ".join(done.text.split())[-300:] if done.code else ""
