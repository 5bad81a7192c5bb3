"""A cloud's wire face: one store and one set of rules (`Simulator`), asked by actions instead of by resources."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import replace

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._rehearsal.calls import Actions, Record, WireCall, WireError
from pulumi_llm._simcloud import store as stores
from pulumi_llm._simcloud.faults import Faults
from pulumi_llm._simcloud.rules.base import CloudError
from pulumi_llm._simcloud.simulator import Simulator

STEPS = "__steps"
"""Property of a record: ``[[time, status], …]``, what its status becomes and when (seconds since the epoch)."""


class Face(ABC):
    """Answers the calls of one cloud. A subclass has its actions, and reads its provider's refusals.

    ``pace`` is how many seconds a machine takes for each step, such as from Pending to Running. ``region`` is that of a
    call which names none: at a cloud, the address of its regional endpoint says it.
    """

    package = ""
    actions: Actions = Actions()
    malformed = "InvalidParameter"
    """The code for parameters that are missing or malformed."""
    extra = ""
    """The extra of this package that it needs, where it needs any beyond that of `sim`."""

    def __init__(
        self,
        store: stores.Store,
        faults: Faults | None = None,
        pace: float = 1.0,
        region: str = "",
        record: Record | None = None,
    ) -> None:
        self.store, self.faults, self.pace, self.region = store, faults or Faults(), pace, region
        self.record = record or Record()

    @abstractmethod
    def refusal(self, error: CloudError) -> WireError:
        """The API's refusal inside the words of the provider."""

    @abstractmethod
    def unknown(self, call: WireCall) -> WireError:
        """How the cloud refuses an action that it does not have."""

    @abstractmethod
    def denied(self, call: WireCall) -> WireError:
        """How the cloud refuses what the account may not do."""

    def answer(self, call: WireCall) -> Props:
        """The answer's body. Each call is recorded. Raises :class:`WireError`."""
        call = call if call.region else replace(call, region=self.region or self._region_of(call))
        action = self.actions.get(call.name)
        if action is None:
            return self._refuse(call, self.unknown(call), unknown=True)
        if self.faults.denied(call.name):
            return self._refuse(call, self.denied(call))
        try:
            body = action(self, call)
        except CloudError as error:
            return self._refuse(call, self.refusal(error))
        except WireError as refusal:
            return self._refuse(call, refusal)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # The rules were written for inputs whose names and types a provider has checked; a wire has no such check.
            words = f"A parameter of {call.action} is missing or malformed: {type(error).__name__} {error}"
            return self._refuse(call, WireError(self.malformed, words))
        self.record.add(call, package=self.package)
        return body

    def _region_of(self, call: WireCall) -> str:
        """Where the resource is that a call names: of two regions behind one address, its id tells which is meant."""
        named = [value for key, value in call.parameters.items() if key.endswith("Id") and isinstance(value, str)]
        found = (each.region for id_ in named for each in self.store.called(id_))
        return next(found, "")

    def _refuse(self, call: WireCall, refusal: WireError, *, unknown: bool = False) -> Props:
        self.record.add(call, refusal.code, package=self.package, unknown=unknown)
        raise refusal

    # -- the resources behind the actions

    def simulator(self, call: WireCall) -> Simulator:
        """The rules of `sim`, in the call's region. Raises ``CloudError`` for a region that is none."""
        made = Simulator(self.package, self.store, self.faults)
        made.configure({"region": call.region})
        return made

    def need(self, call: WireCall, token: str, id_: object, code: str, message: str = "") -> stores.Record:
        """The resource that a call is about. Raises :class:`WireError`, with ``code``."""
        found = self.store.get(token, str(id_), call.region) if id_ else None
        if found is None:
            raise WireError(code, message or f"The resource `{id_}` does not exist.", 404)
        return found

    def create(self, call: WireCall, token: str, inputs: Props, *steps: str) -> stores.Record:
        """Make a resource by the rules; ``steps`` are the states that it goes through, one each ``pace`` seconds."""
        given = {key: value for key, value in inputs.items() if value is not None}
        urn = f"urn:pulumi:rehearsal::wire::{token}::{call.action}"
        id_, __ = self.simulator(call).create(token, urn, given)
        made = self.store.get(token, id_, call.region)
        assert made is not None  # noqa: S101 - it was just put there
        return self.go(made, *steps)

    def change(self, call: WireCall, record: stores.Record, changes: Props) -> stores.Record:
        """Change a resource in place by the rules."""
        old = {key: value for key, value in record.properties.items() if not key.startswith("__")}
        merged = self.simulator(call).update(
            record.type, record.urn, record.id, old, old, {**old, **changes}, preview=False
        )
        kept = {STEPS: record.get(STEPS)} if record.get(STEPS) else {}
        changed = replace(record, properties={**merged, **kept})
        self.store.put(changed)
        return changed

    def delete(self, call: WireCall, record: stores.Record) -> None:
        """Delete a resource by the rules."""
        self.simulator(call).delete(record.type, record.urn, record.id, record.properties)

    def go(self, record: stores.Record, *steps: str) -> stores.Record:
        """Let a resource go through states, the first of them now."""
        if not steps:
            return record
        now = time.time()
        planned = [[now + at * self.pace, step] for at, step in enumerate(steps)]
        changed = replace(record, properties={**record.properties, STEPS: planned})
        self.store.put(changed)
        return changed

    def note(self, record: stores.Record, **values: object) -> stores.Record:
        """Keep values with a resource on which no rule has a say, such as tags and descriptions."""
        changed = replace(record, properties={**record.properties, **values})
        self.store.put(changed)
        return changed


def status(record: stores.Record, otherwise: str = "") -> str:
    """The state of a resource by now."""
    now, found = time.time(), otherwise
    for at, step in record.get(STEPS) or ():
        if at <= now:
            found = str(step)
    return found
