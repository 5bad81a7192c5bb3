"""A simulated package: check, diff, create, read, update, delete and invoke over plain property dicts.

It knows no gRPC, so the engine's plugin and an in-process planner use the same object.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

from pulumi_llm import _provider_facts as provider_facts
from pulumi_llm import clouds
from pulumi_llm._provider_facts import check as checking
from pulumi_llm._provider_facts import diff as differing
from pulumi_llm._provider_facts import schema, table
from pulumi_llm._provider_facts.check import DEFAULTS, Failure
from pulumi_llm._provider_facts.diff import Difference
from pulumi_llm._provider_facts.values import UNKNOWN, Props, is_asset, normal, reveal, secret

from . import booting, identities, powered
from . import config as configuring
from . import faults as failing
from .faults import Faults
from .nested import with_computed
from .offers import Offers
from .offers import of as offers_of
from .rules.base import Call, CloudError, Rules
from .store import Record, Store

__all__ = ["CloudError", "Difference", "Failure", "Simulator", "for_package"]


def for_package(package: str, store: Store | None = None) -> Simulator:
    """The simulator of a Pulumi package: a cloud's, ``command``, ``random`` or ``tls``.

    With ``store=None`` everything is in memory. Faults are read from the environment. Raises
    :class:`schema.MissingSdk` for an unknown package or an SDK that is not installed, and ``Refusal`` for a
    malformed fault.
    """
    schema.sdk_version(package)
    return Simulator(package, store or Store(None), failing.from_environment())


@cache
def _rules(package: str) -> Rules:
    if package in provider_facts.OTHERS:
        rules: Rules = importlib.import_module(f".rules.{package}", __package__).RULES
        return rules
    folder = clouds.of_package(package)
    module = folder.part("simulated") if folder else None
    return module.RULES if module else Rules()


class Simulator:
    """One package of the simulated clouds, with one provider configuration."""

    def __init__(self, package: str, store: Store, faults: Faults | None = None, offers: Offers | None = None) -> None:
        self.package, self.store, self.faults = package, store, faults or Faults()
        self._offers = offers
        self.config: Mapping[str, Any] = {}
        self.region = ""
        self.boots = store.file is not None and (store.file.parent / "world" / "world.json").exists()
        """Whether instances are booted: see `pulumi_llm._simcloud.booting`."""

    @property
    def offers(self) -> Offers:
        """What the package's cloud sells."""
        if self._offers is None:
            self._offers = offers_of(self.package)
        return self._offers

    # -- the provider

    def check_config(self, news: Props) -> tuple[Props, list[Failure]]:
        """The provider's inputs, and what is wrong with them (unknown keys, an unknown region)."""
        return news, configuring.problems(self.package, reveal(news), self.offers)

    def configure(self, news: Props) -> None:
        """Take the provider's settings. Raises :class:`CloudError` where :meth:`check_config` finds a problem."""
        found = configuring.problems(self.package, reveal(news), self.offers)
        if found:
            raise CloudError("\n".join(each.reason for each in found))
        self.config = configuring.settings(self.package, reveal(news))
        self.region = configuring.region(self.package, self.config)

    # -- resources

    def check(self, token: str, urn: str, olds: Props, news: Props, seed: bytes = b"") -> tuple[Props, list[Failure]]:
        """Inputs with defaults filled in, and everything that is wrong with them."""
        inputs, failures = checking.check(token, urn, olds, news, seed)
        rule = None if failures or self.package == "tls" else _rules(self.package).check.get(token)
        if rule:
            failures += [Failure(*each) for each in rule(reveal(inputs))]
        return inputs, failures

    def diff(
        self, token: str, state: Props, old_inputs: Props, news: Props, ignore: list[str] | None = None
    ) -> Difference:
        """What going from ``old_inputs`` to ``news`` would do."""
        found = differing.diff(
            token,
            state,
            old_inputs,
            news,
            ignore=ignore,
            region=self.region,
            features=self.config.get("features"),
            architecture=lambda name: self.offers.architecture(name),
        )
        if token.startswith("tls:") and _renewable(reveal(state)):
            found.changes.setdefault("readyForRenewal", differing.Change("update", replace=True))
        return found

    def create(self, token: str, urn: str, inputs: Props, *, preview: bool = False) -> tuple[str, Props]:
        """Make a resource: its id and outputs. In preview the id is "" and what is computed is unknown.

        Raises :class:`CloudError` when the cloud refuses.
        """
        given = {key: value for key, value in inputs.items() if not key.startswith("__")}
        if preview:
            said = with_computed(given, table.find(token), {})
            return "", self._secrets(token, {**self._unknowns(token, given), **said})
        with self.store.transaction():
            call = self._call(token, urn, given)
            call.id, outputs = identities.new(token, call.inputs, call.region)
            rule = _rules(self.package).create.get(token)
            made = {**self._regional(token, call), **outputs, **given, **(rule(call) if rule else {})}
            if "arn" in outputs:
                made["arn"] = outputs["arn"]
            made = self._secrets(token, self._merge(made, given))
            self.store.put(Record(self.package, token, call.id, call.region, urn, made))
        if self.boots:
            made = self._booted(call, made)
        if slow := self.faults.slowness(token):  # the cloud has it already: only the answer takes long
            time.sleep(slow)
        return call.id, made

    def read(self, token: str, id_: str, state: Props) -> tuple[str, Props] | None:
        """A resource as it is, ``None`` where it no longer exists. What is not in the store is read from ``state``."""
        found = self._at_hand(token, id_)
        if found is None:
            return None
        return id_, {**state, **powered.overlay(self.package, found)} if state else found.properties

    def drifting(self, token: str) -> set[str]:
        """The inputs of a type that something else than a program changes: whether a machine runs."""
        return powered.keys_of(self.package, token)

    def inputs_of(self, token: str, outputs: Props) -> Props:
        """The inputs that would make a resource with these outputs; for import."""
        described = schema.describe(token)
        known = described["inputs"] if described else {}
        return {**{key: value for key, value in outputs.items() if key in known}, DEFAULTS: []}

    def update(
        self, token: str, urn: str, id_: str, state: Props, old_inputs: Props, news: Props, *, preview: bool = False
    ) -> Props:
        """Change a resource in place: its outputs. Raises :class:`CloudError` when the cloud refuses."""
        given = {key: value for key, value in news.items() if not key.startswith("__")}
        facts = table.find(token)
        kept = {
            key: value
            for key, value in state.items()
            if key in given or key not in old_inputs or (facts and facts.at(key).computed)
        }
        merged = self._merge({**kept, **given}, given)
        old = normal(reveal(old_inputs))
        changed = {key for key in {*given, *old} if not key.startswith("__") and old.get(key) != reveal(given).get(key)}
        if preview:
            merged = with_computed(merged, facts, reveal(state))
            unknown = _rules(self.package).unknown_on_update.get(token)
            names = unknown(changed, reveal(state)) if unknown else set()
            if self.package == "command" and token != "command:remote:CopyToRemote":  # noqa: S105
                names = {"stdout", "stderr"}
            return self._secrets(token, {**merged, **dict.fromkeys(names, UNKNOWN)})
        with self.store.transaction():
            call = self._call(token, urn, given, id_=id_, old=old, state=reveal(state))
            found = self._at_hand(token, id_)
            if found is None:
                raise CloudError(
                    f"updating {token} ({id_}): it does not exist any more; refresh the stack and try again"
                )
            for key in changed:
                if facts and (refused := facts.at(key).update_error):
                    raise CloudError(f"updating {token} ({id_}): {check_name(refused, key)}")
            rule = _rules(self.package).update.get(token)
            if rule:
                merged = self._merge({**merged, **rule(call)}, given)
            merged = self._secrets(token, merged)
            self.store.put(Record(self.package, token, id_, found.region, found.urn, merged, found.made))
        if self.boots:
            cloud = booting.part("cloud")

            outputs = cloud.updated(call, reveal(merged))
            merged = self._secrets(token, {**merged, **outputs})
            self.store.put(Record(self.package, token, id_, found.region, found.urn, merged, found.made))
        return merged

    def delete(self, token: str, urn: str, id_: str, state: Props) -> None:
        """Delete a resource; one that is gone already is fine. Raises :class:`CloudError` when the cloud refuses."""
        with self.store.transaction():
            found = self._at_hand(token, id_)
            if found is None:
                return
            call = self._call(token, urn, {}, id_=id_, state=reveal(state))
            call.region = found.region
            fault = self.faults.failing_delete(token)
            if fault and (not fault.once or self.store.spend(fault.spec)):
                refused = _rules(self.package).failed_delete(call)
            else:
                refused = None
                rule = _rules(self.package).delete.get(token)
                if rule:
                    rule(call, found)
                self.store.remove(found)
        if refused:
            raise refused
        if self.boots:
            cloud = booting.part("cloud")

            cloud.deleted(call, found)

    def invoke(self, token: str, args: Props) -> Props:
        """Answer a look-up (``aws:ec2/getAmi:getAmi``). Raises :class:`CloudError` where there is no answer."""
        from .lookups import answer

        return answer(token, normal(reveal(args)), self)

    # -- parts

    def _at_hand(self, token: str, id_: str) -> Record | None:
        """The resource as the provider finds it: in its own region, where the type is regional.

        A provider whose region is another one than when it made the resource asks in vain. It takes that for gone: a
        delete succeeds, and the resource stays.
        """
        return self.store.get(token, id_, self.region if table.is_regional(token) else "")

    def _booted(self, call: Call, made: Props) -> Props:
        """Outputs with what a booted machine gave; a resource whose machine could not be had does not exist."""
        cloud = booting.part("cloud")

        try:
            outputs = cloud.created(call, reveal(made))
        except CloudError:
            with self.store.transaction():
                if found := self.store.get(call.token, call.id):
                    self.store.remove(found)
            raise
        if not outputs:
            return made
        made = self._secrets(call.token, {**made, **outputs})
        with self.store.transaction():
            self.store.put(Record(self.package, call.token, call.id, call.region, call.urn, made))
        return made

    def _call(
        self, token: str, urn: str, given: Props, *, id_: str = "", old: Props | None = None, state: Props | None = None
    ) -> Call:
        inputs = normal(reveal(given))
        named = inputs.get(table.region_input(self.package)) if table.has_own_region(self.package) else None
        region = named if isinstance(named, str) else ""
        return Call(
            token=token,
            urn=urn,
            region=region or self.region,
            inputs=inputs,
            store=self.store,
            offers=self.offers,
            faults=self.faults,
            config=self.config,
            id=id_,
            old=old or {},
            state=state or {},
        )

    def _regional(self, token: str, call: Call) -> Props:
        facts = table.find(token)
        names = facts.outputs if facts else ()
        at = table.region_input(self.package)
        found: Props = {at: call.region} if table.has_own_region(self.package) and at in names else {}
        if "tagsAll" in names:
            found["tagsAll"] = call.inputs.get("tags") or {}
        return found

    def _merge(self, outputs: Props, given: Props) -> Props:
        """Outputs in which what was given as a secret stays one."""
        for key, value in given.items():
            if key in outputs and reveal(value) == reveal(outputs[key]):
                outputs[key] = value
        if "tagsAll" in outputs:
            outputs["tagsAll"] = given.get("tags") or {}
        return outputs

    def _unknowns(self, token: str, given: Props) -> Props:
        """What is computed and not given, as unknown."""
        facts, described = table.find(token), schema.describe(token)
        if facts is None or described is None:
            return {}
        found: Props = {}
        for name in described["outputs"]:
            if name not in given and (name not in described["inputs"] or facts.at(name).computed):
                found[name] = UNKNOWN
        at = table.region_input(self.package)
        if at in found and self.region and table.has_own_region(self.package):
            found[at] = self.region
        if "tagsAll" in found:
            found["tagsAll"] = given.get("tags") or {}
        return found

    def _secrets(self, token: str, outputs: Props) -> Props:
        facts, described = table.find(token), schema.describe(token)
        names = {*(described["secrets"] if described else ()), *(facts.secret_outputs if facts else ())}
        names |= {fact.path for fact in facts.inputs.values() if fact.secret and not fact.parent} if facts else set()
        marked = dict(outputs)
        for name in names & marked.keys():
            if marked[name] is not None and not is_asset(marked[name]):
                marked[name] = secret(marked[name])
        return marked


def check_name(text: str, key: str) -> str:
    """An update error of the table, which names the field as ``<field>``."""
    return text.replace("<field>", checking.snake(key))


def _renewable(state: Props) -> bool:
    from datetime import UTC, datetime, timedelta

    end = state.get("validityEndTime")
    if not isinstance(end, str) or not end[:1].isdigit() or "T" not in end:
        return False
    early = timedelta(hours=float(state.get("earlyRenewalHours") or 0))
    return bool(early) and datetime.now(UTC) >= datetime.fromisoformat(end) - early
