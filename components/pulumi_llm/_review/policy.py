"""Policy: what may not be in a plan, as functions over it. Served to `diff`, to tests, and as a Pulumi policy pack.

Each rule has a stable code; :data:`pulumi_llm._review.policy_settings.CODES` lists them with how much each weighs, and
docs/policy.md explains them. The rules read inputs of plain resources of the three clouds, so that they hold for
foreign programs as well as for this library's components.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._plan.model import Plan
from pulumi_llm._review import policy_account, policy_demands, policy_images, policy_network, policy_secrets
from pulumi_llm._review.policy_model import Breach, Rule, View
from pulumi_llm._review.policy_settings import CODES, FILE, Exemption, Settings, of_stack, read
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding

__all__ = ["CODES", "FILE", "RULES", "Exemption", "Judged", "Settings", "check", "judge", "judged", "of_stack", "read"]

RULES: dict[str, Rule] = {
    "policy.open-to-world": policy_network.open_to_world,
    "policy.public-load-balancer": policy_demands.public_load_balancer,
    "policy.no-firewall": policy_network.no_firewall,
    "policy.disk-not-encrypted": policy_demands.disk_not_encrypted,
    "policy.metadata-without-token": policy_demands.metadata_without_token,
    "policy.shutdown-destroys": policy_demands.shutdown_destroys,
    "policy.password-login": policy_demands.password_login,
    "policy.plain-secret": policy_secrets.plain_secret,
    "policy.image-not-pinned": policy_images.image_not_pinned,
    "policy.image-moves": policy_images.image_moves,
    "policy.disk-dies-with-machine": policy_demands.disk_dies_with_machine,
    "policy.disk-not-protected": policy_demands.disk_not_protected,
    "policy.public-storage": policy_demands.public_storage,
    "policy.cannot-be-had": policy_demands.cannot_be_had,
    "policy.missing-tag": policy_account.missing_tag,
    "policy.region-not-allowed": policy_account.region_not_allowed,
    "policy.over-budget": policy_account.over_budget,
    "policy.budget-undecided": policy_account.budget_undecided,
}
"""The function behind each code."""

_ORDER = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class Judged:
    """A finding with the URN of the resource that it is about (empty: the stack), and the exception that covers it.

    ``undecided`` marks what the plan cannot tell yet, because a value is known only after `up`.
    """

    finding: Finding
    urn: str
    exemption: Exemption | None = None
    undecided: bool = False


def check(
    plan: Plan,
    settings: Settings | None = None,
    *,
    default_regions: Mapping[str, str] | None = None,
    today: date | None = None,
) -> list[Finding]:
    """Every finding about ``plan``, worst first. ``where`` names the resource and the path of the input.

    What an exception covers is told too, as ``info`` with the exception's reason. ``default_regions`` are the regions
    of providers that the program does not make, by Pulumi package (``{"aws": "us-west-2"}``); ``today`` ends
    exceptions. Messages never hold the value of a secret.
    """
    return [each.finding for each in judge(plan, settings, default_regions=default_regions, today=today)]


def judge(
    plan: Plan,
    settings: Settings | None = None,
    *,
    default_regions: Mapping[str, str] | None = None,
    today: date | None = None,
    rules: Collection[str] | None = None,
) -> list[Judged]:
    """As :func:`check`, with the URN of each finding's resource and the exception that covers it.

    ``rules`` are the codes of those to ask, all without it.
    """
    settings = settings or Settings()
    day = today or datetime.now(UTC).date()
    view = View(plan, settings, day, dict(default_regions or {}))
    asked = {code: rule for code, rule in RULES.items() if rules is None or code in rules}
    found = [judged(code, breach, view) for code, rule in asked.items() for breach in rule(view)]
    used = {id(each.exemption) for each in found}
    found += [
        Judged(_idle(each, day), "") for each in settings.exceptions if each.rule in asked and id(each) not in used
    ]
    return sorted(found, key=lambda each: (_ORDER[each.finding.severity], each.finding.code, each.finding.where))


def judged(code: str, breach: Breach, view: View) -> Judged:
    """A breach as it is told: weighed by the settings, and excepted where they say so."""
    severity = view.settings.severity_of(code)
    covering = [each for each in view.settings.exceptions if each.covers(code, breach.urn)]
    exemption = next((each for each in covering if each.expires is None or each.expires >= view.today), None)
    message, hint = breach.message, breach.hint
    if exemption is not None:
        until = _(", until {expires}", expires=exemption.expires) if exemption.expires else ""
        return Judged(
            Finding(
                code,
                _("{message} (excepted{until}: {reason})", message=message, until=until, reason=exemption.reason),
                severity="info",
                where=breach.where,
            ),
            breach.urn,
            exemption,
        )
    if breach.undecided:
        severity = "info"
    finding = Finding(code, message, hint, severity=severity, where=breach.where)
    return Judged(finding, breach.urn, undecided=breach.undecided)


def _idle(exemption: Exemption, today: date) -> Finding:
    """What is said of an exception that covers nothing: that it ended, or that it can go."""
    where = _("{rule} for {resource}", rule=exemption.rule, resource=exemption.resource)
    if exemption.expires is not None and exemption.expires < today:
        message = _(
            "the exception ended on {expires} (it said: {reason})", expires=exemption.expires, reason=exemption.reason
        )
        return Finding(
            "policy.exception-expired", message, _("fix what it covers, or extend it"), severity="warning", where=where
        )
    return Finding(
        "policy.exception-unused", _("the exception covers nothing in this stack"), severity="info", where=where
    )
