"""Who may reach the machines, and on which ports."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from pulumi_llm._texts import _
from pulumi_llm.roles import registry
from pulumi_llm.spec.fields import Cidr, Count, Flag, Part, at_least_one, covers_world, invalid

FILED_PORTS = frozenset({80, 443, 8080, 8443})
"""Ports that a mainland host may not answer on without an ICP filing (commonly 8080 and 8443 too)."""


def _ports_of_services() -> dict[int, str]:
    """The ports of the roles that no argument of the gateway moves, each with what answers there."""
    return {
        listener.port: role.manifest.title
        for role in registry.built_in().values()
        for listener in role.manifest.listeners.values()
        if role.manifest.code is None
    }


class AccessSpec(Part):
    """Who may reach the machines. Nothing is open to the world unless ``public: true`` is written out, SSH never."""

    allowed_cidrs: Annotated[tuple[Cidr, ...], AfterValidator(at_least_one)]
    """Who may call the gateway and the services. The machine that runs Pulumi must be among them, unless ``ssh_cidrs``
    names it.

    zh: 谁可以调用网关和各项服务。运行 Pulumi 的机器必须在其中，除非 ``ssh_cidrs`` 里有它。"""
    public: Flag = False
    """Say that ranges as wide as the internet are meant. Never applies to SSH.

    zh: 声明确实要向整个互联网开放。对 SSH 永不生效。"""
    ssh_cidrs: tuple[Cidr, ...] | None = None
    """From where SSH is open. Left out: ``allowed_cidrs``.

    zh: SSH 对哪里开放。不写则同 ``allowed_cidrs``。"""
    https_port: Annotated[Count, Field(ge=1, le=65535)] | None = None
    """The gateways' port. Left out: 443; 18443 in mainland China. Applies to the proxy too.

    zh: 网关端口。不写则为 443，中国大陆为 18443。对代理同样生效。"""

    @field_validator("https_port")
    @classmethod
    def _port_is_free(cls, value: int | None) -> int | None:
        taken = {22: "SSH"} if value is None else _ports_of_services() | {22: "SSH"}
        if value in taken:
            raise invalid(
                "spec.port-taken",
                _("port {value} is {taken}'s", value=value, taken=taken[value]),
                _("443, or 18443 in the mainland"),
            )
        return value

    @model_validator(mode="after")
    def _closed_by_default(self) -> Self:
        world = covers_world(self.allowed_cidrs)
        if world and not self.public:
            raise invalid(
                "spec.open-to-world",
                _("allowed_cidrs covers {world}, which is as good as the whole internet", world=world),
                _("your own ranges; or `public: true` beside it, if it is meant to be public"),
            )
        ssh_world = covers_world(self.ssh())
        if ssh_world:
            raise invalid(
                "spec.ssh-open-to-world",
                _(
                    "SSH would be open to {ssh_world}; that is always refused, with or without `public`",
                    ssh_world=ssh_world,
                ),
                _("ssh_cidrs: [the address of the machine that runs Pulumi, as a /32]"),
            )
        return self

    def ssh(self) -> tuple[str, ...]:
        """The ranges that SSH is open to."""
        return self.allowed_cidrs if self.ssh_cidrs is None else self.ssh_cidrs

    def port(self, *, in_china: bool) -> int:
        """The gateway's HTTPS port for a host in mainland China, or elsewhere."""
        return self.https_port or (18443 if in_china else 443)
