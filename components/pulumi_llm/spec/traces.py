"""Where a gateway tells what each call was: a collector that speaks OpenTelemetry's protocol."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from pulumi_llm._texts import _
from pulumi_llm.spec.fields import Number, Part, Text, invalid
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
