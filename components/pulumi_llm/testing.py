"""For the tests of programs that use the components: mocks for Pulumi's `set_mocks`, and the policy's rules as a list.

docs/testing.md and docs/policy.md show their use. The mocks answer the look-ups of the components from the catalogue's
and the simulated clouds' data: no account, no network, and no cloud's SDK beside the one that the program itself uses.
Nothing is checked as the clouds would check it; for that there is `pulumi-llm sim`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pulumi

from pulumi_llm import catalog
from pulumi_llm._simcloud.rules.base import CloudError
from pulumi_llm._simcloud.rules.reach import reaches
from pulumi_llm._simcloud.simulator import for_package
from pulumi_llm.errors import Finding

ADDRESS = "203.0.113.10"
"""The public address of every machine (RFC 5737: one of documentation's own)."""
PRIVATE_ADDRESS = "10.60.0.10"

_PEM = "-----BEGIN {0}-----\n{1}\n-----END {0}-----\n"
_COMPUTED: Mapping[str, Mapping[str, str]] = {
    "command:remote:Command": {"stdout": "ready"},
    "random:index/randomPassword:RandomPassword": {"result": "{digest}"},
    "tls:index/certRequest:CertRequest": {"certRequestPem": _PEM.format("CERTIFICATE REQUEST", "{digest}")},
    "tls:index/locallySignedCert:LocallySignedCert": {"certPem": _PEM.format("CERTIFICATE", "{digest}")},
    "tls:index/privateKey:PrivateKey": {
        "privateKeyOpenssh": _PEM.format("OPENSSH PRIVATE KEY", "{digest}"),
        "privateKeyPem": _PEM.format("PRIVATE KEY", "{digest}"),
        "publicKeyOpenssh": "ssh-rsa {digest}",
    },
    "tls:index/selfSignedCert:SelfSignedCert": {"certPem": _PEM.format("CERTIFICATE", "{digest}")},
}
"""What a provider that is no cloud's would fill in, for the types that the components make and read from."""


@cache
def _computed() -> Mapping[str, Mapping[str, str]]:
    """What a cloud or a provider would fill in. The clouds' part is in their folders."""
    found = dict(_COMPUTED)
    for reach in reaches():
        found[reach.address] = {reach.address_ip: ADDRESS}
        found[reach.instance] = {reach.private_ip: PRIVATE_ADDRESS}
        if reach.key_name:
            found[reach.key_pair] = {reach.key_name: "{name}"}
    return found


class Mocks(pulumi.runtime.Mocks):
    """Records every resource, gives it an id and what the components read of it, and answers their look-ups.

    ``answers``: look-up token to its result (a dict as the provider gives it), before the built-in ones; for the
    program's own look-ups. One that nothing answers gets ``{}``, as with Pulumi's own example.
    """

    def __init__(self, answers: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self.answers = dict(answers or {})
        self.resources: list[pulumi.runtime.MockResourceArgs] = []
        self._regions: dict[str, str] = {}

    def inputs_of(self, type_: str) -> list[dict[str, Any]]:
        """The inputs of every resource of a type (``aws:ec2/instance:Instance``) that was registered so far."""
        return [dict(each.inputs) for each in self.resources if each.typ == type_]

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """Its id is its name and ``-id``; its outputs are its inputs and what a provider would add."""
        self.resources.append(args)
        if args.typ.startswith("pulumi:providers:"):
            self._regions[args.name] = str(args.inputs.get("region") or "")
        digest = hashlib.sha256(f"{args.typ} {args.name}".encode()).hexdigest()[:40]
        added = {
            key: text.replace("{name}", args.name).replace("{digest}", digest)
            for key, text in _computed().get(args.typ, {}).items()
        }
        return args.resource_id or f"{args.name}-id", {**added, **args.inputs}

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """The answer to a look-up, and no failures."""
        return self._answer(args), []

    def _answer(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        if args.token in self.answers:
            return dict(self.answers[args.token])
        package = args.token.split(":", 1)[0]
        cloud = next((each for each in catalog.load().clouds.values() if each.pulumi_package == package), None)
        if cloud is None:
            return {}
        simulator = for_package(package)
        # provider: its URN and id, urn:pulumi:stack::project::pulumi:providers:aws::name::id
        name = (args.provider or "").split("::")[-2:][0]
        simulator.configure({"region": self._regions.get(name) or cloud.default_region})
        try:
            return dict(simulator.invoke(args.token, dict(args.args)))
        except CloudError:
            return {}


def policy_findings(project: Path, stack: str) -> list[Finding]:
    """What the policy says of a stack, as in a review: each rule that is broken, with its weight after exceptions.

    ``project`` is a folder in the project, whose program is run as `pulumi-llm plan` runs it: without engine, account
    or network. Raises :class:`pulumi_llm.errors.Refusal` where the program refuses, or the settings cannot be read.
    """
    # Mocks need neither.
    from pulumi_llm._plan.capture import capture_stack
    from pulumi_llm._review import policy

    return policy.check(capture_stack(project, stack), policy.of_stack(project, stack))


__all__ = ["ADDRESS", "PRIVATE_ADDRESS", "Mocks", "policy_findings"]
