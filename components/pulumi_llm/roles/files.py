"""Where the templates are, and how they are read and filled in."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulumi_llm._kept import kept
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from jinja2 import Environment

VARIABLE = "PULUMI_LLM_TEMPLATES"
"""Environment variable naming the folder of templates to use in place of the package's own."""


@cache
def templates() -> Traversable:
    """Where the templates are: inside the installed package, or at the top of a checkout.

    ``$PULUMI_LLM_TEMPLATES`` names others, such as those of booted machines without a GPU (docs/boot-tests.md).

    Raises:
        Refusal: ``bootstrap.no-templates`` if neither has them.
    """
    if named := os.environ.get(VARIABLE):
        return Path(named)
    installed = resources.files("pulumi_llm") / "templates"
    if installed.is_dir():
        return installed
    checkout = Path(__file__).resolve().parents[3] / "templates"
    if checkout.is_dir():
        return checkout
    raise Refusal(
        [
            Finding(
                "bootstrap.no-templates",
                _("no templates in {installed} nor in {checkout}", installed=installed, checkout=checkout),
                _("install the wheel again"),
            )
        ]
    )


@cache
def text(name: str) -> str:
    """A template file as it is."""
    return (templates() / name).read_text(encoding="utf-8")


@cache
def data(name: str) -> Any:
    """A JSON data file of the templates. Callers must not change what they get."""
    return json.loads(text(name))


@cache
def _environment() -> Environment:
    from jinja2 import Environment, StrictUndefined  # only where something is filled in

    # Not HTML: what is rendered are unit files and configuration, which have escapes of their own (see vllm_flags.py).
    made = Environment(  # noqa: S701
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    # A string of Caddy's expressions, in which a backslash is written twice.
    made.filters["cel"] = lambda text: str(text).replace("\\", "\\\\")
    return made


@cache
def _compiled(source: str) -> Any:
    import jinja2

    made = _environment()
    settings = (made.trim_blocks, made.lstrip_blocks, made.keep_trailing_newline)
    code = kept("template", (jinja2.__version__, settings, source), lambda: made.compile(source))
    return made.template_class.from_code(made, code, made.make_globals(None))


def fill(template: str, /, **values: object) -> str:
    """A template with its values filled in; a missing value is an error."""
    return filled(text(template), values)


def filled(source: str, values: Mapping[str, object]) -> str:
    """A text with its values filled in.

    Raises:
        jinja2.TemplateError: a value is missing, or it is no template.
    """
    return str(_compiled(source).render(**values))
