"""Where a gateway tells what each call was: a collector that speaks OpenTelemetry's protocol."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from pulumi_llm._texts import _
from pulumi_llm.spec.fields import Flag, Number, Part, Text, invalid
from pulumi_llm.spec.upstreams import address, is_in_the_open

EXAMPLE = "http://10.0.0.9:4318/v1/traces"
"""4318 is OpenTelemetry's port for HTTP."""


class TracesSpec(Part):
    """``traces`` of the server or the proxy: a span for each admitted call goes to a collector, without what was said.
    See [traces](monitoring.md#traces).

    zh: 服务器或代理的 ``traces``：每个被放行的请求向采集器发送一个 span，不含对话内容。
    见[链路追踪](monitoring.zh.md#链路追踪)。"""

    endpoint: Text
    """The collector's address for traces (OTLP over HTTP), such as ``http://10.0.0.9:4318/v1/traces``. ``http://`` for
    private addresses only. It is asked without a key.

    zh: 采集器接收追踪的地址（OTLP over HTTP），如 ``http://10.0.0.9:4318/v1/traces``。``http://`` 只用于内网地址。
    请求不带密钥。"""
    share: Annotated[Number, Field(gt=0, le=1)] = 1.0
    """The share of the calls that are traced. A caller's ``traceparent`` that traces nothing is obeyed.

    zh: 被追踪的请求所占的比例。调用方的 ``traceparent`` 若声明不追踪，则照办。"""

    engine: Flag = False
    """vLLM tells the collector of its part of each traced call too: the time in its queue, for the prompt and for the
    answer, and tokens. Of a model server only, and of a collector that is named by its IP address: vLLM may speak to
    that one alone.

    zh: vLLM 也把每个被追踪请求中自己的部分告诉采集器：排队、处理提示和生成回答的时间，以及 token 数。
    仅用于模型服务器，且采集器要以 IP 地址给出：vLLM 只能访问这一个地址。"""

    @field_validator("endpoint")
    @classmethod
    def _can_be_told(cls, value: str) -> str:
        found = address(value, EXAMPLE)
        if is_in_the_open(found):
            raise invalid(
                "spec.bad-url",
                _("{value!r} is http:// on the open internet: the names of keys and models could be read", value=found),
                f"https://{found.removeprefix('http://')}",
            )
        return found

    @model_validator(mode="after")
    def _engine_may_reach_it(self) -> Self:
        if self.engine and self.address is None:
            message = _("vLLM may speak to one address alone, and {endpoint!r} has a name", endpoint=self.endpoint)
            raise invalid(
                "spec.engine-traces", message, _("the collector's IP address, such as {example}", example=EXAMPLE)
            )
        return self

    @property
    def address(self) -> str | None:
        """The collector's IP address; None where it has a name."""
        host = urlsplit(self.endpoint).hostname or ""
        try:
            return str(ipaddress.ip_address(host))
        except ValueError:
            return None
