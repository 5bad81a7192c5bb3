"""Plans, where they are sold and what they cost, as gpuhunt asks Vultr's API for them (GET /v2/plans).

These calls take no key. With one, gpuhunt asks besides where this account may have whole cards, as the public list
is not complete for them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from pulumi_llm._refresh.calls import NO_SDK, Failure, Kind, no_sdk, patiently
from pulumi_llm._refresh.hunted import card, named, observations, quiet
from pulumi_llm._refresh.observed import Answer, Scope
from pulumi_llm._texts import _

TO_SET = "VULTR_API_KEY"
PLANS = "GET /v2/plans"

Ask = Callable[[], Any]


def has_credentials() -> bool:
    """Whether the environment names a key: without one Vultr is asked where it is named. No call is made."""
    return bool(os.environ.get(TO_SET))


def fetch(
    scope: Scope,
    say: Callable[[str], None],
    ask: Ask | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Answer:
    """Ask Vultr about the scope. Raises Refusal ``refresh.no-sdk``."""
    ask = ask or asker(scope)
    say(_("vultr: plans, regions and prices of {count} types", count=len(scope.types)))
    try:
        items = patiently(ask, pause)
    except Failure as failure:
        answer = Answer()
        answer.findings.append(failure.finding("vultr", _("all regions"), PLANS))
        return answer
    return observations(scope, items, lambda each: (each.instance_type, card(each), each.gpu_count), named(PLANS))


def asker(scope: Scope) -> Ask:
    """What asks the API. Raises Refusal ``refresh.no-sdk``."""
    try:
        from gpuhunt.providers.vultr import VultrProvider
        from requests import HTTPError, RequestException
    except ImportError:
        raise no_sdk("vultr", "gpuhunt", NO_SDK) from None
    provider = VultrProvider(api_key=os.environ.get(TO_SET) or None, regions=list(scope.regions))

    def ask() -> Any:
        try:
            with quiet():
                return provider.get()
        except HTTPError as error:
            kinds: dict[int, Kind] = {401: "denied", 403: "denied", 429: "throttled"}
            status = error.response.status_code if error.response is not None else 0
            raise Failure(kinds.get(status, "failed"), str(status), str(error)) from None
        except ValueError:  # before what RequestException is, as requests' own for a body that is no JSON is both
            raise Failure("failed", "200", "the answer is no JSON") from None
        except RequestException as error:
            raise Failure("unreachable", type(error).__name__, str(error)) from None
        except (KeyError, TypeError, AttributeError) as error:
            raise Failure("failed", "200", f"the answer lists no plans ({error})") from None

    return ask
