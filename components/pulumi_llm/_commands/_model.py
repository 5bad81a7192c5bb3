"""A model that a command is asked about: a row of the catalogue, a config.json, or what a hub tells of it."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from pulumi_llm import catalog
from pulumi_llm._addresses import host_of, without_secrets
from pulumi_llm._language import told
from pulumi_llm._texts import _, either
from pulumi_llm.errors import Finding, Refusal, UnknownName, nearest

if TYPE_CHECKING:
    from pulumi_llm.catalog.hub import Hub

WORLD = ("huggingface", "hf-mirror", "modelscope")
"""The hubs in the order in which they are asked where no region says more."""


def is_path(model: str) -> bool:
    """Whether a model is given by its config.json, or the folder of it, rather than by its id."""
    return model.endswith(".json") or model.startswith((".", "/", "~")) or Path(model).is_dir()


def place(asked: Namespace) -> tuple[str, bool]:
    """The model that is meant, as a `FitRequest` takes it: an id of the catalogue, or a folder and True.

    Raises Refusal ``hub.…`` where it has to be asked for, and no hub tells.
    """
    if is_path(asked.model):
        return asked.model, True
    if not (asked.hub or asked.refresh or asked.revision):
        try:
            return catalog.load().model(asked.model).id, False
        except UnknownName:
            if "/" not in asked.model:
                raise
    return str(from_hub(asked)), True


def from_hub(asked: Namespace) -> Path:
    """The folder with what a hub told of the model, before or now."""
    from pulumi_llm.catalog import hub  # most calls need none

    folder = None if asked.refresh else hub.kept(asked.model, asked.revision)
    if folder is None and asked.offline:
        near = [each for each in nearest(asked.model, catalog.load().models) if each != asked.model]
        meant = _("{names}, if that is meant; or ", names=either(near)) if near else ""
        what = _("nothing was fetched of {model} before, and --offline asks no hub", model=asked.model)
        raise Refusal(
            [
                Finding(
                    "hub.offline",
                    what,
                    _("{meant}the same without --offline, or {by_file}", meant=meant, by_file=hub.BY_FILE),
                )
            ]
        )
    return folder or hub.fetch(asked.model, hubs(asked), asked.revision, say=_say)


def hubs(asked: Namespace) -> list[Hub]:
    """The hubs to ask, in order: those that are named, else those that serve the region, else all."""
    names = tuple(asked.hub)
    cloud, region = getattr(asked, "cloud", None), getattr(asked, "region", None)
    if not names and cloud and region:
        names = catalog.load().sources(cloud, region).hub_names
    return [_named(each) for each in names or WORLD]


def _named(text: str) -> Hub:
    """The hub of that name, or ``KIND=URL`` for one of your own."""
    from pulumi_llm.catalog.hub import Hub
    from pulumi_llm.roles.files import data

    name, __, own = text.partition("=")
    known = data("hubs.json")["hubs"]
    if name in known and "=" in text and host_of(own, "https", "http") is None:
        message = _("{address!r} is no address of a model hub", address=without_secrets(own))
        raise Refusal([Finding("hub.bad-address", message, f"--hub {name}=https://host")])
    if name not in known:
        raise UnknownName("bootstrap.unknown-hub", _("model hub"), text, known, hint=_("or kind=https://host"))
    endpoint = own.rstrip("/") or known[name]["endpoint"]
    return Hub(endpoint if own else name, known[name]["kind"], endpoint)


def _say(text: str) -> None:
    sys.stderr.write(f"{told(text)} …\n")
