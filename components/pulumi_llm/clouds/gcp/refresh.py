"""Machines, their zones and prices, from the catalogue that gpuhunt's makers publish for Google Cloud.

gpuhunt's makers ask Google's billing and compute APIs and publish what they were told; it takes no account to read.
gpuhunt loads the catalogues of all its providers or none, without a time limit; here it has one for each answer.
GPUHUNT_CATALOG_URL names another place, GPUHUNT_CATALOG_DIR a folder, as gpuhunt itself has it. The catalogue has no
shared-core machines and prices TPUs by slices of another name, so these stay as they were.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pulumi_llm._refresh.calls import NO_SDK, Failure, no_sdk, patiently
from pulumi_llm._refresh.hunted import card, named, observations, quiet
from pulumi_llm._refresh.observed import Answer, Scope
from pulumi_llm._texts import _
from pulumi_llm.catalog import Instance
from pulumi_llm.clouds.gcp import account

TO_SET = account.TO_SET
VARIABLES = ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CREDENTIALS")
CATALOGUE = "gcp.csv"
SECONDS = 60.0
"""How long nothing may come, of any of the catalogues."""

Ask = Callable[[], tuple[Any, str]]
"""Gives the rows and which version of the catalogue they are of."""


def has_credentials() -> bool:
    """Whether the environment speaks of Google Cloud: without that it is asked where it is named. No call is made."""
    return any(os.environ.get(name) for name in VARIABLES)


def fetch(
    scope: Scope,
    say: Callable[[str], None],
    ask: Ask | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Answer:
    """Read the published catalogue for the scope. Raises Refusal ``refresh.no-sdk``."""
    ask = ask or asker()
    say(_("gcp: zones and prices of {count} types", count=len(scope.types)))
    try:
        items, version = patiently(ask, pause)
    except Failure as failure:
        answer = Answer()
        answer.findings.append(failure.finding("gcp", _("all regions"), CATALOGUE))
        return answer
    return observations(scope, items, _sold, named(_("catalogue {version}", version=version)))


def _sold(instance: Instance) -> tuple[str, str | None, int]:
    """Cards that are attached to an N1 machine are in our names, and fields of their own there."""
    return instance.instance_type.partition("+")[0], card(instance), instance.gpu_count


@contextmanager
def _patience() -> Iterator[None]:
    """gpuhunt names no time limit of its own, so that it takes this one of the process."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def asker() -> Ask:
    """What reads the catalogue. Raises Refusal ``refresh.no-sdk``."""
    try:
        from gpuhunt import Catalog, GPUHuntError
    except ImportError:
        raise no_sdk("gcp", "gpuhunt", NO_SDK) from None

    def ask() -> tuple[Any, str]:
        catalogue = Catalog(balance_resources=False, auto_reload=False)
        folder = os.environ.get("GPUHUNT_CATALOG_DIR")
        try:
            with quiet():
                if folder is None:
                    with _patience():
                        catalogue.load()
                    if "gcp" not in catalogue.catalog:
                        raise Failure("failed", CATALOGUE, "there is no catalogue of Google Cloud's")
                version = folder if folder is not None else catalogue.catalog["gcp"].version
                return catalogue.query(provider="gcp"), str(version)
        except GPUHuntError as error:
            raise Failure("unreachable", type(error).__name__, str(error.__cause__ or error)) from None
        except (OSError, ValueError) as error:
            raise Failure("failed", type(error).__name__, str(error)) from None

    return ask
