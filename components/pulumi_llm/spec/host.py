"""A machine that exists, which its owner describes: how it is reached, what it has, what it costs. Sizes are GiB."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import struct
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from pulumi_llm._texts import _, listed
from pulumi_llm.catalog import systems
from pulumi_llm.spec.fields import Count, Flag, Number, Part, Text, invalid, known

HOST_KEYS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
"""Kinds of host keys that can be asked for by name.

Of an RSA key pulumi-command 1.2.1 asks for the algorithm that is called as the key is, ``ssh-rsa``: that is SHA-1,
which OpenSSH refuses since 8.8 (provider/pkg/provider/remote/connection.go at 010bd8e0, 2026-08-21).
"""
SHARED = re.compile(r"/(opt|srv|var|home(/[^/]+)?|root|mnt|media|var/(lib|log|cache|backups|spool|mail))")
"""Folders that are not for one program alone: ours may lie in one, but be none."""
SYSTEM = re.compile(
    r"/(s?bin|boot|dev|etc|lib(32|64|x32)?|lost\+found|proc|run|sys|tmp|usr|var/(lock|run|tmp)"
    r"|var/lib/(apt|dpkg|systemd|pulumi-llm)|opt/llm|srv/llm)(/.*)?"
)
"""Folders in which no data may lie: the system's own, what is in memory or swept, where a node has programs and notes,
and the place that leads to data elsewhere."""


def refuse_bought(names: list[str]) -> None:
    """Raise ``spec.not-of-a-host`` for keys, by their names, of what is bought: beside a machine that exists."""
    if names:
        raise invalid(
            "spec.not-of-a-host",
            _("{bought}: for a machine that is bought, and this one exists", bought=listed(names)),
            _("leave it out"),
        )


def _address(value: str) -> str:
    try:
        address = ipaddress.IPv4Address(value)
    except ValueError:
        address = None
    # Those of nobody, of many and of all are no machine's.
    if address is None or address.is_unspecified or address.is_multicast or address.is_reserved:
        raise invalid(
            "spec.bad-address",
            _("{value!r} is not an IPv4 address, which the machine's certificate is made for", value=value),
            "203.0.113.7",
        )
    return str(address)


def _user(value: str) -> str:
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", value):
        raise invalid(
            "spec.bad-user", _("{value!r} is not the name of a user", value=value), _("such as ubuntu or root")
        )
    return value


def _host_key(value: str) -> str:
    kind, __, rest = value.strip().partition(" ")
    text = rest.split()[0] if rest.split() else ""
    try:
        content = base64.b64decode(text, validate=True)
        (length,) = struct.unpack(">I", content[:4])
        told = content[4 : 4 + length].decode("ascii")
    except (binascii.Error, struct.error, UnicodeDecodeError):
        told = ""
    if kind not in HOST_KEYS or told != kind:
        raise invalid(
            "spec.bad-host-key",
            _("{value!r} is not a host key of the kind ed25519 or ECDSA, on one line", value=value[:60]),
            _("what `ssh-keyscan -t ed25519 ADDRESS` prints after the address, once you know that it is the machine's"),
        )
    return f"{kind} {text}"


def _bundle(value: str) -> str:
    plain = value.rstrip("/")
    if not re.fullmatch(r"(/[\w.-]+)+", plain) or {".", ".."} & set(plain.split("/")) or SYSTEM.fullmatch(plain):
        raise invalid(
            "spec.bad-bundle",
            _("{value!r} is not the whole path of a folder that a bundle can lie in", value=value),
            "/mnt/llm-bundle",
        )
    return plain


def _system(value: str) -> str:
    known(lambda: systems.system(value))
    return value


def _folder(value: str) -> str:
    plain = value.rstrip("/")
    steps = plain.split("/")[1:]
    taken = SHARED.fullmatch(plain) or SYSTEM.fullmatch(plain)
    if not re.fullmatch(r"(/[\w.-]+)+", plain) or {".", ".."} & set(steps) or taken:
        raise invalid(
            "spec.bad-folder",
            _("{value!r} is not a folder of its own, by its whole path", value=value),
            "/data/llm",
        )
    return plain


OF_SELLERS = (
    "instance_type",
    "image_id",
    "zone",
    "spot",
    "renew",
    "idle_stop",
    "hours",
    "alternatives",
    "disk",
)
"""Keys of a server that say how a machine is bought, or how its seller stops it."""


class HostPriceSpec(Part):
    """What the machine costs, by whom rents it out or by your own sum."""

    amount: Annotated[Number, Field(ge=0, le=10000)]
    """Per hour.

    zh: 每小时价格。"""
    currency: Literal["CNY", "USD"]
    """``CNY`` or ``USD``.

    zh: ``CNY`` 或 ``USD``。"""


class HostSpec(Part):
    """A machine that exists, with ``cloud: ssh``: how it is reached, and what it has."""

    mode: Literal["systemd", "container"] = "systemd"
    """``systemd``: a machine that boots. ``container``: one that is rented out without systemd, in which root logs in.

    zh: ``systemd``：能启动的机器。``container``：租来的容器，没有 systemd，以 root 登录。"""
    address: Annotated[Text, AfterValidator(_address)]
    """Its IPv4 address, at which it answers SSH and its callers.

    zh: 机器的 IPv4 地址，SSH 和调用者都用它。"""
    port: Annotated[Count, Field(ge=1, le=65535)] = 22
    """Where it answers SSH.

    zh: SSH 端口。"""
    user: Annotated[Text, AfterValidator(_user)]
    """Who logs in: root, or somebody whom sudo asks no password.

    zh: 登录用户：root，或使用 sudo 不需要密码的用户。"""
    host_key: Annotated[Text, AfterValidator(_host_key)]
    """The machine's own key, ``ssh-ed25519 AAAA…``; a machine that has another one is refused.

    zh: 机器自己的主机密钥，``ssh-ed25519 AAAA…``；主机密钥不符的机器会被拒绝。"""
    private_key_file: Text | None = None
    """The file with the key that lets in, such as ``~/.ssh/id_ed25519``. Left out: the secret ``sshPrivateKey``.

    zh: 登录私钥的文件，如 ``~/.ssh/id_ed25519``。不写则用机密 ``sshPrivateKey``。"""
    agent: Flag = False
    """Let the SSH agent of whoever runs Pulumi answer for the key.

    zh: 用运行 Pulumi 的人的 SSH agent 登录。"""
    folder: Annotated[Text, AfterValidator(_folder)] | None = None
    """Where weights, keys and vectors go, such as a folder on a large disk. Left out: ``/srv/llm``.

    zh: 权重、密钥和向量放在哪里，例如大容量磁盘上的一个文件夹。不写则为 ``/srv/llm``。"""
    public_port: Annotated[Count, Field(ge=1, le=65535)] | None = None
    """The one port of a container that others reach, such as 6006; the gateway listens there. Left out: no port is told
    apart, and a tunnel leads to any: ``ssh -L``.

    zh: 容器唯一对外的端口，如 6006；网关监听该端口。不写则不区分端口，可用隧道访问：``ssh -L``。"""
    again: Annotated[Count, Field(ge=0, le=1000000)] = 0
    """Raise it once a container was stopped and started, or made anew: ``up`` then starts what was there, or puts it
    there again. The data in ``folder`` stays.

    zh: 容器停止后重新启动或被重建后把它加一：``up`` 会启动已有的服务，或重新部署。``folder`` 里的数据保留。"""
    system: Annotated[Text, AfterValidator(_system)] = systems.DEFAULT
    """What the machine runs: ``ubuntu-24.04``, ``ubuntu-22.04``, ``debian-13`` or ``debian-12``. It is asked at ``up``.

    zh: 机器的操作系统：``ubuntu-24.04``、``ubuntu-22.04``、``debian-13`` 或 ``debian-12``。``up`` 时会向机器核对。"""
    bundle: Annotated[Text, AfterValidator(_bundle)] | None = None
    """The folder on the machine that ``pulumi-llm bundle`` made: it installs from there alone, and needs no network.

    zh: 机器上由 ``pulumi-llm bundle`` 生成的文件夹；写了就只从这里安装，机器不需要联网。"""
    gpu_memory_gib: Annotated[Number, Field(ge=4, le=1024)] | None = None
    """GiB of one card, where it has other than the catalogue says. It is asked at ``up``.

    zh: 单张卡的显存（GiB），仅在与目录不同时填写。``up`` 时会向机器核对。"""
    memory_gib: Annotated[Number, Field(ge=1, le=65536)] | None = None
    """GiB of the machine's own memory. Left out, nothing is held against it before ``up``.

    zh: 机器内存（GiB）。不写则 ``up`` 之前不核对内存。"""
    price: HostPriceSpec | None = None
    """What an hour of it costs, for the bill. Left out: unknown.

    zh: 每小时的费用，用于账单。不写则为未知。"""

    @model_validator(mode="after")
    def _container_has_what_it_needs(self) -> Self:
        given = {"public_port": self.public_port is not None, "again": self.again > 0}
        if self.mode == "systemd":
            if kept := [name for name, told in given.items() if told]:
                raise invalid(
                    "spec.of-a-container",
                    _("{names}: of a container, and this machine has systemd", names=listed(kept)),
                    _("mode: container, or leave it out"),
                )
            return self
        if self.user != "root":
            raise invalid(
                "spec.container-needs-root",
                _("in a container root logs in, and not {user!r}", user=self.user),
                "user: root",
            )
        if self.folder is None:
            raise invalid(
                "spec.container-needs-folder",
                _("what a container has on its own disk goes with it, and no other folder is named"),
                _("folder: one on a disk that stays, such as /root/autodl-tmp/llm"),
            )
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        inside = self.folder or "/srv/llm"
        if self.bundle is not None and f"{self.bundle}/".startswith(f"{inside}/"):
            raise invalid(
                "spec.bad-bundle",
                _("the bundle lies in {folder}, which `destroy` takes away", folder=inside),
                "/mnt/llm-bundle",
            )
        if self.agent and self.private_key_file is not None:
            raise invalid(
                "spec.two-keys", _("both an agent and a file are to give the key"), _("agent, or private_key_file")
            )
        return self
