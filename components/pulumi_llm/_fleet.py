"""Models on the GPU nodes of a Kubernetes cluster, with our gateway in front."""

import hashlib
import importlib
import json
from collections.abc import Mapping
from functools import partial
from typing import Any, Optional

import pulumi
import pulumi_random as random

from pulumi_llm import _component as support
from pulumi_llm import _host as hosts
from pulumi_llm import _managed as managed
from pulumi_llm import _notices as notices
from pulumi_llm import spec
from pulumi_llm._args import FleetArgs
from pulumi_llm._arguments import checked, is_late
from pulumi_llm._cluster import engines, gate, kubeconfig, names, store
from pulumi_llm._cluster.certificate import signed
from pulumi_llm._findings import gather, keep, pick
from pulumi_llm._refusal import ending
from pulumi_llm._resolve.fleet import ResolvedFleet, resolve_fleet
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.spec import fleet as spec_fleet
from pulumi_llm.spec.fleet import FleetSpec

PACKAGE = "kubernetes"


class Fleet(pulumi.ComponentResource):
    """Models on the GPU nodes of a Kubernetes cluster: engines by the vLLM production-stack or KubeRay, keys and limits
    by our gateway in front."""

    endpoint: pulumi.Output[str]
    """The OpenAI-compatible base URL, ``https://…/v1``."""
    served_models: pulumi.Output[list[str]]
    """The models that it serves, and the routes."""
    api_keys: pulumi.Output[dict[str, str]]
    """The gateway's keys by name (secret)."""
    certificate_authority: pulumi.Output[str]
    """The authority that signed the gateway's certificate (PEM). Clients must trust it."""
    namespace: pulumi.Output[str]
    """The namespace that all of it is in."""
    hourly_price: pulumi.Output[Optional[float]]
    """What all GPU nodes cost per hour in ``currency``; absent where that is unknown."""
    currency: pulumi.Output[Optional[str]]
    """The currency of ``hourly_price``."""
    vectors_engine: pulumi.Output[Optional[str]]
    """Which vector store it has, where it has one."""
    vectors_endpoint: pulumi.Output[Optional[str]]
    """The vector store's URL, where there is one: its REST API."""
    vectors_grpc: pulumi.Output[Optional[str]]
    """The vector store's gRPC address (``host:port``, TLS), where there is one."""
    vectors_key: pulumi.Output[Optional[str]]
    """The vector store's API key (secret), where there is one."""
    vectors_vectorizer: pulumi.Output[Optional[dict[str, str]]]
    """What a client names in a collection whose texts the vector store turns into vectors itself: ``module``, ``model``
    and ``base_url``, where it does."""
    kubeconfig: pulumi.Output[Optional[str]]
    """The kubeconfig of the cluster that was made (secret), where one was."""
    cluster_name: pulumi.Output[Optional[str]]
    """What its cloud calls that cluster."""

    def __init__(self, name: str, args: FleetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the fleet. A wrong argument ends the program with every mistake named, and no traceback."""
        with support.refusing(name):
            fleet = _settled(args)
            gateway = gate.role(fleet)
            carried = carried_keys(fleet.spec.keys, args.get(spec.CARRIED_KEYS))
            token = _token(args.get(spec.HUB.argument))
            resources = _kubernetes()
        wanted = fleet.spec
        super().__init__(f"{support.PACKAGE}:index:Fleet", name, support.recorded(args), opts)
        given = self.get_provider(f"{PACKAGE}:index:any")
        made_here: dict[str, Any] = {}
        with support.refusing(name):
            if fleet.cluster is not None:
                handle = managed.make(name, fleet.cluster, self, there=args.get(spec.KUBECONFIG.argument), given=given)
                made_here = {"kubeconfig": handle.kubeconfig, "cluster_name": handle.name}
                given = resources.provider(f"{name}-kubernetes", handle.kubeconfig, None, self)
            elif given is None:
                given = resources.provider(f"{name}-cluster", _checked(args, wanted), wanted.cluster.context, self)
        notices.warn(self, name, [*hosts.expired(wanted.keys), *fleet.warnings])
        child = pulumi.ResourceOptions(parent=self)
        made = {key: each for key, each in wanted.keys.items() if key not in carried}
        keys = {**hosts.gateway_keys(name, made, child), **carried}
        engine = random.RandomPassword(f"{name}-engine-key", length=40, special=False, opts=child)
        # Who asks how many calls there are is not who makes them.
        load = (
            random.RandomPassword(f"{name}-load-key", length=40, special=False, opts=child) if wanted.follows else None
        )
        of_store = {key: random.RandomPassword(f"{name}-{called}", length=40, special=False, opts=child).result
                    for key, called in _keys_of_store(wanted).items()}  # fmt: skip
        asks = of_store.get(store.VECTORIZER_VARIABLE)
        known = {**keys, **({spec_fleet.STORE: asks} if asks is not None else {})}
        hosts_named = (*([wanted.hostname] if wanted.hostname else []), *names.service_names(wanted))
        authority, certificate, private_key = signed(name, hosts_named, self)
        service = resources.make(
            resources.Wanted(
                name=name,
                fleet=fleet,
                keys=_secret(pulumi.Output.all(**known).apply(_digests)),
                engine_key=_secret(engine.result),
                load_key=None if load is None else _secret(load.result),
                certificate=certificate,
                private_key=_secret(private_key),
                hub_token=token,
                cluster_name=made_here.get("cluster_name"),
                vectors_keys={key: _secret(value) for key, value in of_store.items()} or None,
            ),
            self,
            given,
        )
        price = fleet.node.price
        support.publish(
            self,
            {
                "endpoint": service.urn.apply(lambda _urn: f"https://{hosts_named[0]}/v1"),
                "served_models": pulumi.Output.from_input([each.name for each in gateway.routes]),
                "api_keys": pulumi.Output.secret(pulumi.Output.all(**keys)),
                "certificate_authority": authority,
                "namespace": pulumi.Output.from_input(wanted.namespace),
                "hourly_price": pulumi.Output.from_input(fleet.hourly_price),
                "currency": pulumi.Output.from_input(price.currency if price is not None else None),
                **made_here,
                **_store_outputs(wanted, hosts_named[0], service, of_store),
            },
        )


def _keys_of_store(fleet: FleetSpec) -> dict[str, str]:
    """The variables that the vector store reads its keys from, each with what the key's resource is called after."""
    if fleet.vectors is None:
        return {}
    more = {store.VECTORIZER_VARIABLE: "vectorizer-key"} if fleet.vectors.vectorizer is not None else {}
    return {names.VECTORS_KEY: "vectors-key", **more}


def _store_outputs(
    fleet: FleetSpec, host: str, service: pulumi.Resource, keys: Mapping[str, pulumi.Output[str]]
) -> dict[str, Any]:
    """What is told of the vector store, once the gateway is there: as of a machine's."""
    if fleet.vectors is None:
        return {}
    (__, rest), (__, grpc) = store.ports(fleet)
    told: dict[str, Any] = {
        "vectors_engine": pulumi.Output.from_input(fleet.vectors.engine),
        "vectors_endpoint": service.urn.apply(lambda _urn: f"https://{host}:{rest}"),
        "vectors_grpc": service.urn.apply(lambda _urn: f"{host}:{grpc}"),
        "vectors_key": _secret(keys[names.VECTORS_KEY]),
    }
    vectorizer = store.vectorizer(fleet)
    return told if vectorizer is None else {**told, "vectors_vectorizer": pulumi.Output.from_input(vectorizer)}


def carried_keys(wanted: Mapping[str, Any], given: Any) -> dict[str, pulumi.Output[str]]:
    """Keys that callers have already, by their names. Where the mapping itself comes late, all that are wanted.

    Raises:
        Refusal: ``spec.unknown-key`` for a name that no key has, ``secret.missing`` for one that is empty.
    """
    if given is None:
        return {}
    if is_late(given):
        return {key: _secret(pulumi.Output.from_input(given).apply(partial(_one_of, key))) for key in wanted}
    findings = []
    for key, value in given.items():
        if key not in wanted:
            findings.append(
                Finding(
                    "spec.unknown-key",
                    _("carried_keys has {name!r}, and keys has no such key", name=key),
                    _("keys: {{{name}: {{}}}}, or leave it out", name=key),
                    where=f"{spec.CARRIED_KEYS}.{key}",
                )
            )
        elif not is_late(value) and not str(value).strip():
            findings.append(_no_key(key))
    if findings:
        raise Refusal(findings)
    return {key: _secret(value) for key, value in given.items()}


def _one_of(name: str, keys: Mapping[str, str]) -> str:
    if not keys.get(name, "").strip():
        raise ending([_no_key(name)])
    return keys[name]


def _no_key(name: str) -> Finding:
    return Finding(
        "secret.missing",
        _("the key {name!r} is to be carried over, and there is none of that name", name=name),
        _("the names of the server's keys, or leave carried_keys out: the fleet then makes its own"),
        where=f"{spec.CARRIED_KEYS}.{name}",
    )


def _secret(value: Any) -> pulumi.Output[str]:
    return pulumi.Output.secret(value)


def _settled(args: Any) -> ResolvedFleet:
    """What the arguments come to, or a Refusal with every mistake in them."""
    given = checked(args, FleetArgs)
    (wanted,) = gather(
        lambda: spec.parse(FleetSpec, pick(support.known(given.fit), *FleetSpec.model_fields)), beside=given.findings
    )
    fleet = resolve_fleet(wanted)
    findings: list[Finding] = []
    for each in fleet.models:
        keep(findings, partial(engines.check, each), f"models.{each.name}")
    if findings:
        raise Refusal(findings)
    return fleet


def _token(given: Any) -> pulumi.Output[str] | None:
    """The model hub's token. An empty one is none, and whoever gives it means one: engines would ask without.

    Raises:
        Refusal: ``secret.missing`` where it is empty.
    """
    if given is None:
        return None

    def look(found: str) -> str:
        if not found.strip():
            raise _no_token() if not is_late(given) else ending(_no_token().findings)
        return found

    return _secret(pulumi.Output.from_input(given).apply(look)) if is_late(given) else _secret(look(given))


def _no_token() -> Refusal:
    hint = _("leave it out where no model is gated; else `pulumi config set --secret {key}`", key=spec.HUB.config_key)
    return Refusal([Finding("secret.missing", _("the model hub's token is empty"), hint, where=spec.HUB.argument)])


def _checked(args: Mapping[str, Any], wanted: FleetSpec) -> pulumi.Output[str]:
    """The kubeconfig, once it is known to lead where it should; one that comes late is looked at when it has come.

    Raises:
        Refusal: ``secret.missing`` where there is none, and as `kubeconfig.check`.
    """
    text = args.get(spec.KUBECONFIG.argument)
    if text is None:
        message = _("a fleet needs the kubeconfig of its cluster, and none is given")
        hint = _("`pulumi config set --secret {key}`, or a provider for Kubernetes among the options",
                 key=spec.KUBECONFIG.config_key)  # fmt: skip
        raise Refusal([Finding("secret.missing", message, hint)])
    if not is_late(text):
        kubeconfig.check(text, wanted.cluster)
        return pulumi.Output.secret(text)

    def look(found: str) -> str:
        try:
            kubeconfig.check(found, wanted.cluster)
        except Refusal as refusal:
            raise ending(refusal.findings) from None
        return found

    return pulumi.Output.secret(pulumi.Output.from_input(text).apply(look))


def _kubernetes() -> Any:
    """The resources, whose SDK is imported here and not before. Raises Refusal: ``cloud.sdk-missing``."""
    try:
        return importlib.import_module("pulumi_llm._cluster.resources")
    except ModuleNotFoundError as missing:
        if not (missing.name or "").startswith("pulumi_kubernetes"):
            raise
    from pulumi_llm import _extras as extras  # reads the metadata of installed packages, which takes its time

    message = _("{name} is asked for, but its Pulumi SDK ({missing}) is not installed",
                name=PACKAGE, missing="pulumi_kubernetes")  # fmt: skip
    raise Refusal([Finding("cloud.sdk-missing", message, extras.advice(PACKAGE))])


def _digests(keys: Mapping[str, str]) -> str:
    """Whose a key is, by its digest: what the gateway reads, as on a machine."""
    return json.dumps({hashlib.sha256(key.encode()).hexdigest(): name for name, key in keys.items()}, indent=1)
