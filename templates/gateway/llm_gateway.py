"""LiteLLM's hooks: who may ask what, how often and for how much. Loaded by litellm.yaml.

Keys are known by their SHA-256 alone. Both files are read again when they change, so that a new key or limit costs
no restart and no request. Prompts and answers are looked at for blocked words and written nowhere.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy._types import ProxyException, UserAPIKeyAuth
from litellm.proxy.common_utils.http_parsing_utils import _read_request_body
from litellm.types.utils import all_litellm_params

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fastapi import Request

POLICY = Path(os.environ.get("LLM_POLICY", "/opt/llm/gateway/policy.json"))
HASHES = Path(os.environ.get("LLM_KEY_HASHES", "/srv/llm/secrets/gateway-keys.json"))
SPEND = Path(os.environ.get("LLM_SPEND", "/srv/llm/gateway/spend.json"))

# Body fields with which a caller would steer LiteLLM itself (another upstream, a mock answer, no logging); a few of
# the same names are the OpenAI protocol's own.
PROTOCOL = {"metadata", "user", "cache_key", "roles"}
FORBIDDEN = (set(all_litellm_params) | {"api_base", "base_url", "api_key", "user_config", "extra_headers"}) - PROTOCOL


class Reread:
    """A JSON file, read again when it changes."""

    def __init__(self, path: Path) -> None:
        self.path, self.stamp, self.content = path, (0, 0), {}

    def get(self) -> dict[str, Any]:
        """What the file says now; what it last said if it cannot be read this moment."""
        try:
            stat = self.path.stat()
            if (stat.st_mtime_ns, stat.st_ino) != self.stamp:
                self.content = json.loads(self.path.read_text())
                self.stamp = (stat.st_mtime_ns, stat.st_ino)
        except (OSError, ValueError):
            pass
        return self.content


policy, hashes = Reread(POLICY), Reread(HASHES)


def refuse(code: int, kind: str, message: str) -> ProxyException:
    """An error in OpenAI's form."""
    return ProxyException(message=message, type=kind, param=None, code=code)


async def user_api_key_auth(request: Request, api_key: str) -> UserAPIKeyAuth:
    """Know the key, then check endpoint, body and budget. Models, rates and concurrency LiteLLM enforces itself."""
    key = (api_key or "").removeprefix("Bearer ").strip()
    digest = hashlib.sha256(key.encode()).hexdigest()
    name = hashes.get().get(digest) if key else None
    rules = policy.get().get("keys", {}).get(name)
    if name is None or rules is None:
        raise refuse(401, "authentication_error", "a valid key is needed: Authorization: Bearer KEY")
    path = request.url.path
    if path not in rules["endpoints"]:
        raise refuse(403, "permission_error", f"this key may not use {path}")
    if request.method == "POST":
        body = await _read_request_body(request=request)
        if not isinstance(body.get("model"), str):
            raise refuse(400, "invalid_request_error", "the body must name a model")
        if rules["models"] and body["model"] not in rules["models"]:
            raise refuse(403, "permission_error", f"this key may not use the model {body['model']!r}")
        steering = sorted(FORBIDDEN & body.keys())
        if steering:
            raise refuse(400, "invalid_request_error", f"these fields are not accepted: {', '.join(steering)}")
        budget = rules["daily_budget_usd"]
        if budget is not None and spent_today(name) >= budget:
            raise refuse(429, "budget_exceeded", f"this key's budget of {budget} USD for today is used up (UTC)")
    return UserAPIKeyAuth(
        api_key=digest,
        key_alias=name,
        models=rules["models"],
        rpm_limit=rules["requests_per_minute"],
        tpm_limit=rules["tokens_per_minute"],
        max_parallel_requests=rules["max_concurrency"],
    )


def today() -> str:
    """The date, UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime())


spend_file = Reread(SPEND)


def spent_today(name: str) -> float:
    """What a key has cost today, USD."""
    return float(spend_file.get().get(today(), {}).get(name, 0.0))


def add_spend(name: str, usd: float) -> None:
    """Count a cost. Only today is kept; a restart does not forget it."""
    day = dict(spend_file.get().get(today(), {}))
    day[name] = day.get(name, 0.0) + usd
    new = SPEND.with_name(SPEND.name + ".new")
    new.write_text(json.dumps({today(): day}))
    new.replace(SPEND)


def plain(text: str) -> str:
    """Text as words are looked for in it: one width, one case, without spaces, marks and invisible characters."""
    kept = (each for each in unicodedata.normalize("NFKC", text).casefold() if each.isalnum())
    return "".join(kept)


def strings(value: Any) -> list[str]:
    """All text in a request or an answer, however nested."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for each in value.values() for text in strings(each)]
    if isinstance(value, list):
        return [text for each in value for text in strings(each)]
    return []


def blocked(text: str) -> bool:
    """Whether one of the policy's words is in a text."""
    searched = plain(text)
    return any(word and word in searched for word in map(plain, policy.get().get("blocked_words", [])))


class Guard(CustomLogger):
    """Blocked words on the way in and on the way out, and the cost of what was answered."""

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: Any
    ) -> None:
        """Refuse a request that holds a blocked word."""
        asked = [data.get(each) for each in ("messages", "prompt", "input", "suffix", "tools", "response_format")]
        if blocked(" ".join(strings(asked))):
            raise refuse(400, "content_policy_violation", "the request holds a word that is not allowed here")

    async def async_post_call_success_hook(self, data: Any, user_api_key_dict: Any, response: Any) -> Any:
        """Refuse an answer that holds a blocked word."""
        if hasattr(response, "choices") and blocked(" ".join(strings(response.model_dump().get("choices")))):
            raise refuse(400, "content_policy_violation", "the answer held a word that is not allowed here")
        return response

    async def async_post_call_streaming_iterator_hook(
        self, user_api_key_dict: Any, response: Any, request_data: Any
    ) -> AsyncGenerator[Any, None]:
        """Pass a stream on, and cut it at a blocked word, even one that is spread over several pieces."""
        longest = max((len(plain(word)) for word in policy.get().get("blocked_words", [])), default=0)
        seen: dict[int, str] = {}
        async for piece in response:
            if longest:
                for choice in piece.model_dump().get("choices") or []:
                    index = choice.get("index") or 0
                    delta = choice.get("delta") or {}
                    said = [
                        choice.get("text"),
                        delta.get("content"),
                        delta.get("reasoning_content"),
                        delta.get("tool_calls"),
                    ]
                    seen[index] = seen.get(index, "")[-8 * longest :] + "".join(strings(said))
                    if blocked(seen[index]):
                        raise refuse(400, "content_policy_violation", "the answer held a word that is not allowed here")
            yield piece

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Count what an answer cost."""
        name = (kwargs.get("litellm_params", {}).get("metadata") or {}).get("user_api_key_alias")
        cost = kwargs.get("response_cost")
        if name and cost:
            add_spend(name, float(cost))


guard = Guard()
