"""What a project demands beyond the rules' defaults: regions, tags, a budget, severities, and exceptions that say why.

Read from ``pulumi-llm.policy.yaml`` beside Pulumi.yaml, and from a stack's config value ``pulumi-llm:policy``, whose
keys come over the file's. docs/policy.md explains every key.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from pulumi_llm import _engine_yaml, _json, _yaml, clouds
from pulumi_llm._plan import project as projects
from pulumi_llm._review.money import HOURS_PER_MONTH
from pulumi_llm._texts import _, either, listed
from pulumi_llm.errors import Finding, Refusal, nearest
from pulumi_llm.spec.fields import Part, Text, invalid, without_midnight
from pulumi_llm.spec.reading import parse

FILE = "pulumi-llm.policy.yaml"
CONFIG_KEY = "pulumi-llm:policy"

CODES: dict[str, Literal["error", "warning", "info"]] = {
    "policy.open-to-world": "error",
    "policy.public-load-balancer": "warning",
    "policy.no-firewall": "error",
    "policy.disk-not-encrypted": "error",
    "policy.metadata-without-token": "error",
    "policy.shutdown-destroys": "error",
    "policy.password-login": "error",
    "policy.plain-secret": "error",
    "policy.image-not-pinned": "error",
    "policy.image-moves": "warning",
    "policy.disk-dies-with-machine": "error",
    "policy.disk-not-protected": "warning",
    "policy.public-storage": "error",
    "policy.cannot-be-had": "info",
    "policy.missing-tag": "error",
    "policy.region-not-allowed": "error",
    "policy.over-budget": "error",
    "policy.budget-undecided": "warning",
}
"""Every rule, and how much it weighs unless ``severity`` says otherwise."""

OF_CHANGES: dict[str, Literal["error", "warning", "info"]] = {"diff.deletes-data": "error"}
"""What is asked of a change and not of a plan; it can be weighed and excepted like a rule."""


class Budget(Part):
    """What a stack may cost per month, at list prices."""

    per_month: Decimal = Field(gt=0)
    currency: Literal["CNY", "USD"] = "CNY"
    running_hours: Decimal = Field(default=HOURS_PER_MONTH, gt=0, le=HOURS_PER_MONTH)


class Exemption(Part):
    """A rule that does not hold for some resources. The reason is shown wherever the finding is."""

    rule: str
    resource: Text = "*"
    reason: Text
    expires: Annotated[date | None, BeforeValidator(without_midnight)] = None

    @field_validator("rule")
    @classmethod
    def _known(cls, value: str) -> str:
        return known_rule(value)

    def covers(self, code: str, urn: str) -> bool:
        """Whether this is about that finding: ``resource`` is a glob over the URN or the resource's name."""
        names = (urn, urn.rsplit("::", 1)[-1])
        return code == self.rule and any(fnmatchcase(each, self.resource) for each in names)


if TYPE_CHECKING:
    CloudName = str
else:
    CloudName = Literal[clouds.names()]  # every cloud that is installed


class Settings(Part):
    """The demands on a stack. Without any, the rules hold with their defaults."""

    allowed_regions: dict[CloudName, tuple[Text, ...]] = Field(default_factory=dict)
    required_tags: tuple[Text, ...] = ()
    budget: Budget | None = None
    severity: dict[str, Literal["error", "warning", "info"]] = Field(default_factory=dict)
    exceptions: tuple[Exemption, ...] = ()

    @field_validator("severity")
    @classmethod
    def _known(cls, value: dict[str, Any]) -> dict[str, Any]:
        for code in value:
            known_rule(code)
        return value

    def severity_of(self, code: str) -> Literal["error", "warning", "info"]:
        """How much a finding of that rule weighs."""
        return self.severity.get(code, {**CODES, **OF_CHANGES}[code])


def known_rule(code: str) -> str:
    """``code``, if it is a rule's."""
    if code not in CODES and code not in OF_CHANGES:
        # Without what all of them begin with, which would make every code look like every other.
        near = [f"policy.{each}" for each in nearest(code.removeprefix("policy."), (each[7:] for each in CODES))]
        hint = (
            _("did you mean {names}?", names=either(near))
            if near
            else _("there are: {names}", names=listed([*CODES, *OF_CHANGES]))
        )
        raise invalid("policy.unknown-rule", _("there is no rule {code!r}", code=code), hint)
    return code


def of_stack(start: Path, stack: str | None = None) -> Settings:
    """The settings of the project that ``start`` is in, and of one of its stacks.

    Raises :class:`Refusal` where they cannot be read (``policy.unreadable``) or are wrong (``spec.…``,
    ``policy.unknown-rule``), with all that is wrong in them.
    """
    project = projects.find(start)
    known = stack is not None and stack in project.stacks()
    value = projects.read_stack(project, str(stack)).raw.get(CONFIG_KEY) if known else None
    return combined(project.folder, value)


def combined(folder: Path | None, config: object) -> Settings:
    """The settings of the file in ``folder``, where there is one, with those of a config value over them."""
    file = _file(folder / FILE) if folder is not None else {}
    return parse(Settings, {**file, **_of_config(config)}, where=FILE)


def read(path: Path) -> Settings:
    """The settings in one file. Raises :class:`Refusal` as :func:`of_stack` does."""
    if not path.is_file():
        raise _unreadable(_("there is no {path}", path=path))
    return parse(Settings, _file(path), where=path.name)


def _file(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = _engine_yaml.load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, _yaml.YAMLError) as wrong:
        problem = str(wrong).splitlines()[0]
        raise _unreadable(_("{path} cannot be read as YAML: {problem}", path=path.name, problem=problem)) from None
    return _mapping(content, path.name)


def _of_config(value: object) -> Mapping[str, Any]:
    if isinstance(value, str):  # as `pulumi config set` without --path writes it
        try:
            value = _json.loads(value)
        except ValueError:
            raise _unreadable(_("the config value {config_key} is not a mapping", config_key=CONFIG_KEY)) from None
    return _mapping(value, _("the config value {config_key}", config_key=CONFIG_KEY))


def _mapping(content: object, what: str) -> Mapping[str, Any]:
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise _unreadable(_("{what} does not hold a mapping", what=what))
    return {str(key): value for key, value in content.items()}


def _unreadable(message: str) -> Refusal:
    return Refusal([Finding("policy.unreadable", message, _("docs/policy.md shows a whole file"))])
