"""Look-ups: what data sources answer, from the catalogue and from what exists."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pulumi_llm import clouds
from pulumi_llm._provider_facts.values import Props
from pulumi_llm.errors import nearest

from .rules.base import CloudError

if TYPE_CHECKING:
    from .simulator import Simulator

Answer = Callable[[Props, "Simulator"], Props]
"""Takes the arguments and the simulator that was asked; gives the result or raises :class:`CloudError`."""


def answer(token: str, args: Props, simulator: Simulator) -> Props:
    """The answer to a look-up. Raises :class:`CloudError` for one that is not simulated or finds nothing."""
    folder = clouds.of_package(simulator.package)
    module = folder.part("simulated.lookups") if folder else None
    known: dict[str, Answer] = module.ANSWERS if module else {}
    if token not in known:
        near = nearest(token, known)
        hint = f"did you mean {' or '.join(near)}?" if near else f"it answers {', '.join(sorted(known)) or 'none'}"
        raise CloudError(f"the simulated {simulator.package} cloud does not answer the look-up {token}; {hint}")
    if folder and simulator.faults.denied(token):
        raise CloudError(folder.read("simulated.json")["denied"])
    found = known[token](args, simulator)
    return {**{key: value for key, value in args.items() if value is not None}, **found}


def matches(filters: list[Props] | None, values: dict[str, Any]) -> bool:
    """Whether an item with these ``values`` passes the filters. Raises :class:`CloudError` for an unknown name."""
    from fnmatch import fnmatchcase

    for each in filters or ():
        name = each["name"]
        if name not in values:
            near = nearest(name, values)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise CloudError(f"api error InvalidParameterValue: The filter '{name}' is invalid{hint}")
        if not any(fnmatchcase(str(values[name]), str(wanted)) for wanted in each["values"]):
            return False
    return True
