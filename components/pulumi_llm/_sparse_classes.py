"""What an SDK tells Pulumi of its classes, told when Pulumi first asks.

Each SDK ends with a list of its thousand classes, so that a reference to a resource can become an object of its class
again. It is a megabyte of JSON that a plan reads and does not ask about. Pulumi asks at two places, which this module
stands in front of until then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_ASKED = ("get_resource_package", "get_resource_module")
_waiting: list[Callable[[], Any]] = []
_usual: dict[str, Callable[..., Any]] = {}


def later(register: Callable[..., Any], *parts: Any, **named: Any) -> None:
    """Call an SDK's ``register`` with its lists when the first class is asked for."""
    from pulumi.runtime import rpc  # with the first SDK, not with our command line

    _waiting.append(lambda: register(*parts, **named))
    if not _usual:
        _usual.update({name: getattr(rpc, name) for name in _ASKED})
        for name in _ASKED:
            setattr(rpc, name, lambda *asked, name=name: _told(name)(*asked))


def _told(name: str) -> Callable[..., Any]:
    from pulumi.runtime import rpc

    for each, function in _usual.items():
        setattr(rpc, each, function)
    _usual.clear()
    while _waiting:
        _waiting.pop(0)()
    answer: Callable[..., Any] = getattr(rpc, name)
    return answer
