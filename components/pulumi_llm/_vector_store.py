"""A vector store with a key and TLS: on a machine of its own, or the one on a model server's host."""

from dataclasses import replace
from typing import Optional

import pulumi

from pulumi_llm import _bucket_keys, _nodes, _vectorizing
from pulumi_llm import _component as support
from pulumi_llm import _host as hosts
from pulumi_llm import _notices as notices
from pulumi_llm._args import VectorStoreArgs
from pulumi_llm._arguments import checked
from pulumi_llm._network import network_for
from pulumi_llm._resolve import ResolvedVectors, arguments, resolve_vectors, stand_of_vectors


class VectorStore(pulumi.ComponentResource):
    """A vector store on a machine of its own. Beside a model it is ``ModelServer``'s argument ``vectors``."""

    engine: pulumi.Output[str]
    """Which vector store it is, such as ``weaviate``."""
    endpoint: pulumi.Output[str]
    """The vector store's URL: where its REST API is, or what a client connects to."""
    grpc: pulumi.Output[Optional[str]]
    """Its gRPC address (``host:port``, TLS), where it has one."""
    api_key: pulumi.Output[str]
    """Its API key or password (secret)."""
    address: pulumi.Output[str]
    """The public IPv4 address."""
    private_address: pulumi.Output[str]
    """The address within the network."""
    certificate_authority: pulumi.Output[str]
    """The authority that signed the certificate (PEM). Clients must trust it."""
    instance_id: pulumi.Output[str]
    """The machine's id at the cloud."""
    instance_type: pulumi.Output[str]
    """The machine's type."""
    hourly_price: pulumi.Output[Optional[float]]
    """The machine's list price per hour in ``currency``; absent where the catalogue has none (not 0)."""
    currency: pulumi.Output[Optional[str]]
    """The currency of ``hourly_price``."""
    ssh_private_key: pulumi.Output[str]
    """The key for SSH to the machine (secret)."""
    backup_key: pulumi.Output[Optional[str]]
    """The key that reads its backups (secret), where there are any. Keep it elsewhere too: it goes with the stack."""

    def __init__(
        self,
        name: str,
        args: VectorStoreArgs,
        opts: Optional[pulumi.ResourceOptions] = None,
        *,
        _resolved: Optional[ResolvedVectors] = None,
    ) -> None:
        """Make the store. A wrong argument ends the program with every mistake named, and no traceback.

        ``_resolved`` is what ``args`` come to, where a platform has settled it already. One that asks a gateway for
        vectors is a bare machine until its platform has told it the way there: see `_tell`.
        """
        with support.refusing(name):
            store = _resolved or _resolve(name, args)
            cloud = support.adapter(store.site.cloud.name)
            _bucket_keys.check_backup(store.spec, args)
            node = _nodes.store_node(name, store)
        super().__init__(f"{support.PACKAGE}:index:VectorStore", name, support.recorded(args), opts)
        notices.warn(self, name, store.warnings)
        scope = support.scope_of(self, name, cloud, store.site.region.name)
        key = hosts.random_key(f"{name}-api-key", scope)
        secrets = _nodes.vectors_secrets(store.spec.engine, key)
        backup = hosts.backup_key(name, scope) if store.spec.backup is not None else None
        if backup is not None:
            secrets |= _bucket_keys.backup_secrets(store.spec, args, backup[0])
        request = hosts.HostRequest(
            name=name,
            cloud=cloud,
            network=network_for(scope, name, args, store),
            place=store.site.place,
            system_disk_gib=store.system_disk_gib,
            access=store.access,
            ports=_nodes.ports(node),
            node=node,
            secrets=secrets,
            tags={**store.tags, "pulumi-llm": "vector-store"},
            ready_timeout_minutes=store.spec.ready_timeout_minutes,
            renew=store.spec.renew,
            protect=store.protect,
            image_id=args.get("image_id"),
            disk=store.spec.disk,
        )
        self._host, self._store, self._scope = hosts.provision(request, scope), store, scope
        self._request, self._keys = request, (key, backup)
        if store.spec.vectorizer is None:
            self._tell()

    def _tell(self, way: Optional[_vectorizing.Way] = None) -> None:
        """Tell its machine what to run, and wait until it does. ``way``: to the gateway that it asks for vectors."""
        request, store, (key, backup) = self._request, self._store, self._keys
        if way is not None:
            settings = way.url.apply(lambda url: hosts.settings_document(_nodes.store_node(request.name, store, url)))
            # After the server's own change: it is changed once the gateway knows its key.
            after, told = (way.applied,), {**request.secrets, **way.secrets}
            request = replace(request, settings=settings, secrets=told, after=after, in_turn=True)
        host = hosts.tell(request, self._host, self._scope)
        outputs = {**_nodes.store_outputs(host, store.spec.engine, key), **host.outputs(store.site.place)}
        if backup is not None:
            outputs["backup_key"] = backup[1]
        support.publish(self, outputs)


def _resolve(name: str, args: VectorStoreArgs) -> ResolvedVectors:
    given = checked(args, VectorStoreArgs)
    parts = arguments.of_vectors(given.fit, support.known(given.fit), given.findings)
    place = parts.place
    support.check_name(name, place.cloud, below="-network")
    stand = stand_of_vectors(place.cloud, place.region, place.zone, parts.vectors)
    return resolve_vectors(parts.vectors, parts.shared, stand)
