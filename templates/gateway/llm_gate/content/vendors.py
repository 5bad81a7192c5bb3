"""The Chinese vendors' text moderation.

Yidun and Baidu are asked over plain HTTP, by their documented protocols: Baidu's SDK (baidu-aip) was last released in
2023, and Yidun publishes demonstrations, not a package of record. Aliyun and Tencent Cloud are asked through their
official SDKs, which are imported only here and only when configured.

Options: ``yidun``: ``business_id``, ``url``; ``baidu``: ``url``; ``aliyun``: ``region`` (default ``cn-shanghai``),
``endpoint``, ``input_service`` (default ``llm_query_moderation``), ``output_service`` (default
``llm_response_moderation``); ``tencent``: ``region`` (default ``ap-guangzhou``), ``endpoint``, ``biz_type``. Secrets:
``secret_id`` names the key's id (Yidun's SecretId, Baidu's API key, the clouds' AccessKey id), ``secret`` the key.

Sources (read 2026-11-25): yidun/antispam-python-demo and antispam-nodejs-demo on GitHub (v5, signature);
ai.baidu.com/ai-doc/ANTIPORN (Nk3h6xbb2, answers); help.aliyun.com/document_detail/2669858.html (TextModerationPlus);
the docstrings of tencentcloud-sdk-python-tms 3.1.157.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import importlib
import json
import logging
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal
from urllib.parse import urlsplit

from llm_gate.content.moderators import Http, ModeratorError, Options, Secret, UnfitError, Verdict, verdict

AT_ONCE = 8
"""Calls of a cloud's SDK, which block a thread each, at the same time."""


class Yidun(Http):
    """NetEase Yidun, ``/v5/text/check``: suggestion 0 passes, 1 is doubtful, 2 is refused."""

    limit = 5000

    def __init__(self, options: Options, secret: Secret) -> None:
        super().__init__()
        self._url = options.url("url", "https://as.dun.163.com") + "/v5/text/check"
        self._business = options.text("business_id")
        self._id, self._key = options.secret(secret, "secret_id"), options.secret(secret, "secret")
        options.end()

    async def judge(self, text: str, direction: str) -> Verdict:
        """Ask. ``direction`` does not matter to this service."""
        form = {
            "secretId": self._id,
            "businessId": self._business,
            "version": "v5.2",
            "timestamp": str(int(time.time() * 1000)),
            "nonce": str(secrets.randbelow(10**11)),
            "signatureMethod": "SHA256",
            "dataId": secrets.token_hex(16),
            "content": text,
        }
        signed = "".join(key + form[key] for key in sorted(form)) + self._key
        form["signature"] = hashlib.sha256(signed.encode()).hexdigest()
        answer = await self.post(self._url, data=form)
        try:
            if answer["code"] != 200:
                raise ModeratorError(f"code-{int(answer['code'])}")
            found = answer["result"]["antispam"]
            outcomes: dict[int, Literal["pass", "review", "block"]] = {0: "pass", 1: "review", 2: "block"}
            return verdict(outcomes[found["suggestion"]], [each.get("label") for each in found.get("labels") or []])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ModeratorError("bad-answer") from None


class Baidu(Http):
    """Baidu's ``text_censor/v2/user_defined``: 1 passes, 2 is refused, 3 is doubtful, 4 is a failure of theirs."""

    limit = 5000  # 20,000 bytes of UTF-8, four a character at most

    def __init__(self, options: Options, secret: Secret) -> None:
        super().__init__()
        self._url = options.url("url", "https://aip.baidubce.com")
        self._id, self._key = options.secret(secret, "secret_id"), options.secret(secret, "secret")
        self._token, self._until = "", 0.0
        options.end()

    async def judge(self, text: str, direction: str) -> Verdict:
        """Ask. ``direction`` does not matter to this service."""
        answer = await self._ask(text)
        if isinstance(answer, dict) and answer.get("error_code") in (110, 111):  # the token is not, or no longer, valid
            self._token = ""
            answer = await self._ask(text)
        try:
            if answer.get("error_code") is not None:
                raise ModeratorError(f"code-{int(answer['error_code'])}")
            outcomes: dict[int, Literal["pass", "review", "block"]] = {1: "pass", 2: "block", 3: "review"}
            if answer["conclusionType"] == 4:
                raise ModeratorError("vendor-failed")
            return verdict(outcomes[answer["conclusionType"]], [each.get("type") for each in answer.get("data") or []])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ModeratorError("bad-answer") from None

    async def _ask(self, text: str) -> Any:
        if not self._token or time.monotonic() > self._until:
            given = {"grant_type": "client_credentials", "client_id": self._id, "client_secret": self._key}
            answer = await self.post(f"{self._url}/oauth/2.0/token", params=given)
            try:
                self._token, lasts = str(answer["access_token"]), float(answer["expires_in"])
            except (KeyError, TypeError, ValueError):
                raise ModeratorError("no-token") from None
            self._until = time.monotonic() + lasts - 600
        url = f"{self._url}/rest/2.0/solution/v1/text_censor/v2/user_defined"
        return await self.post(url, params={"access_token": self._token}, data={"text": text})


class Sdk:
    """A cloud's SDK, called on threads of its own so that a slow answer holds nobody else up."""

    def __init__(self, name: str) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix=f"content-{name}")

    async def judge(self, text: str, direction: str) -> Verdict:
        """Ask."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.ask, text, direction)

    def ask(self, text: str, direction: str) -> Verdict:
        """Ask, on a thread."""
        raise NotImplementedError

    async def close(self) -> None:
        """Take no more calls. Those under way end by their own timeout."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class Aliyun(Sdk):
    """TextModerationPlus. Risk level ``high`` is refused, ``medium`` is doubtful, ``low`` and ``none`` pass."""

    limit = 2000

    def __init__(self, options: Options, secret: Secret) -> None:
        package = "alibabacloud_green20220302"
        client, self._models = imported(f"{package}.client"), imported(f"{package}.models")
        region = options.text("region", "cn-shanghai")
        endpoint = urlsplit(options.url("endpoint", f"https://green-cip.{region}.aliyuncs.com"))
        self._services = {
            "input": options.text("input_service", "llm_query_moderation"),
            "output": options.text("output_service", "llm_response_moderation"),
        }
        patience = int(options.config.timeout_seconds * 1000)
        config = imported("alibabacloud_tea_openapi.models").Config(
            access_key_id=options.secret(secret, "secret_id"),
            access_key_secret=options.secret(secret, "secret"),
            region_id=region,
            endpoint=endpoint.netloc,
            protocol=endpoint.scheme,
            connect_timeout=patience,
            read_timeout=patience,
        )
        options.end()
        self._client = client.Client(config)
        self._runtime = imported("darabonba.runtime").RuntimeOptions(
            autoretry=False, connect_timeout=patience, read_timeout=patience
        )
        super().__init__("aliyun")

    def ask(self, text: str, direction: str) -> Verdict:
        """Ask the service for this direction."""
        request = self._models.TextModerationPlusRequest(
            service=self._services[direction], service_parameters=json.dumps({"content": text}, ensure_ascii=False)
        )
        body = self._client.text_moderation_plus_with_options(request, self._runtime).body
        if body.code != 200:
            raise ModeratorError(f"code-{body.code}" if isinstance(body.code, int) else "bad-answer")
        outcomes: dict[str, Literal["pass", "review", "block"]] = {
            "none": "pass",
            "low": "pass",
            "medium": "review",
            "high": "block",
        }
        outcome = outcomes.get(body.data.risk_level if body.data else "")
        if outcome is None:
            raise ModeratorError("bad-answer")
        return verdict(outcome, [each.label for each in body.data.result or []])


class Tencent(Sdk):
    """TextModeration (TMS). Suggestion ``Block`` is refused, ``Review`` is doubtful, ``Pass`` passes."""

    limit = 10000

    def __init__(self, options: Options, secret: Secret) -> None:
        client, self._models = (
            imported("tencentcloud.tms.v20201229.tms_client"),
            imported("tencentcloud.tms.v20201229.models"),
        )
        endpoint = urlsplit(options.url("endpoint", "https://tms.tencentcloudapi.com"))
        region = options.text("region", "ap-guangzhou")
        self._biz_type = options.text("biz_type", "default")
        http = imported("tencentcloud.common.profile.http_profile").HttpProfile(
            protocol=endpoint.scheme, endpoint=endpoint.netloc, reqTimeout=max(1, round(options.config.timeout_seconds))
        )
        profile = imported("tencentcloud.common.profile.client_profile").ClientProfile(httpProfile=http)
        credential = imported("tencentcloud.common.credential").Credential(
            options.secret(secret, "secret_id"), options.secret(secret, "secret")
        )
        options.end()
        # At level DEBUG the SDK logs every request whole, with the text and the key's id.
        logging.getLogger("tencentcloud_sdk_common").disabled = True
        self._client = client.TmsClient(credential, region, profile)
        super().__init__("tencent")

    def ask(self, text: str, direction: str) -> Verdict:
        """Ask. ``direction`` does not matter to this service."""
        request = self._models.TextModerationRequest()
        request.Content = base64.b64encode(text.encode()).decode()
        if self._biz_type != "default":
            request.BizType = self._biz_type
        answer = self._client.TextModeration(request)
        outcomes: dict[str, Literal["pass", "review", "block"]] = {"Pass": "pass", "Review": "review", "Block": "block"}
        if answer.Suggestion not in outcomes:
            raise ModeratorError("bad-answer")
        labels = [answer.Label, answer.SubLabel] if answer.Suggestion != "Pass" else []
        return verdict(outcomes[answer.Suggestion], [each for each in labels if each])


def imported(module: str) -> Any:
    """A module of a cloud's SDK. Raises `UnfitError` if the SDK is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise UnfitError(f"needs the Python package that has {module!r}, which is not installed") from None
