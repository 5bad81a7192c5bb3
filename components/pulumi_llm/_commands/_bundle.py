"""The body of `pulumi-llm bundle`."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulumi_llm import _nodes
from pulumi_llm._addresses import without_secrets
from pulumi_llm._backup.places import Store
from pulumi_llm._bundle import manifest, upload
from pulumi_llm._bundle.collect import Bundle, spare
from pulumi_llm._bundle.fetch import Full
from pulumi_llm._bundle.wanted import Sources, Wanted, of_nodes
from pulumi_llm._commands import DONE
from pulumi_llm._commands._asking import say
from pulumi_llm._language import told
from pulumi_llm._plan.capture import capture_stack
from pulumi_llm._tables import aligned
from pulumi_llm._texts import Text, _, either, listed
from pulumi_llm.catalog.hub import TOKEN
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.roles.files import data
from pulumi_llm.spec import bucket_of
from pulumi_llm.spec.weights import BUNDLES

if TYPE_CHECKING:
    from pulumi_llm._bootstrap import NodeRequest
    from pulumi_llm.spec import WeightsSpec

KINDS = ("pypi", "apt", "registry", "hub")


def run(asked: Namespace) -> int:
    """Collect, or tell what would be collected. Gives the exit code."""
    if asked.to is None and not asked.list:
        raise Refusal([Finding("bundle.no-folder", _("no folder is named"), "--to FOLDER, or --list")])
    found, others, buckets = nodes(asked.project, asked.stack)
    if asked.upload and len(buckets) != 1:
        message = _("the stack {stack!r} names {count} buckets for a bundle", stack=asked.stack, count=len(buckets))
        raise Refusal([Finding("bundle.no-bucket", message, "server.weights: {bucket: oss://BUCKET/PREFIX}")])
    wanted = of_nodes(found, extra=asked.packages, kernels=asked.kernel)
    wanted = replace(wanted, sources=elsewhere(wanted.sources, asked.sources))
    if asked.list:
        return listing(asked, wanted, others)
    store = opened(*buckets[0]) if asked.upload else None
    collected(asked, wanted, others)
    sent = uploaded(asked.to.expanduser(), store, buckets[0][0].bucket, quiet=asked.json) if store else {}
    if asked.json:
        document = manifest.read(asked.to.expanduser())
        sys.stdout.write(f"{json.dumps({**document, **sent}, indent=1, ensure_ascii=False)}\n")
    return DONE


def opened(weights: WeightsSpec, region: str) -> Store:
    """The bucket that the stack names for its bundle. Raises as `upload.opened`."""
    bucket = bucket_of(weights.bucket)
    assert bucket is not None  # noqa: S101 - the spec refuses others
    return upload.opened(bucket, weights.region or region, weights.endpoint, BUNDLES)


def uploaded(folder: Path, store: Store, shown: str, *, quiet: bool) -> dict[str, Any]:
    """Send the bundle to the bucket, and say what the stack's file is to have; gives the same for a program."""
    sent = upload.upload(folder, store, _progress)
    if not quiet:
        if sent.sent:
            now = _("in {bucket}: {size}, {now} of them sent now", bucket=shown, size=_size(sent.bytes),
                    now=_size(sent.sent))  # fmt: skip
        else:
            now = _("in {bucket}: {size}; all of it was there, and nothing was sent", bucket=shown,
                    size=_size(sent.bytes))  # fmt: skip
        say(now)
        say(f"server.weights.bundle: {sent.digest}")
    return {"uploaded": {"bucket": shown, "digest": sent.digest, "bytes": sent.bytes, "sent": sent.sent}}


def nodes(project: Path, stack: str) -> tuple[list[NodeRequest], list[str], list[tuple[WeightsSpec, str]]]:
    """The nodes that a bundle is for, as they are rendered; the other machines; and buckets, each with its region.

    It is for machines of one's own, and for those of a cloud with a bucket for their weights.

    Raises:
        Refusal: ``bundle.no-machine`` where there is none of these, and what the program refuses.
    """
    plan = capture_stack(project, stack)
    own = {
        urn: server
        for urn, server in plan.servers.items()
        if server.spec.host is not None or server.spec.weights is not None
    }
    parents = {each.urn: each.parent for each in plan.resources}
    machines = plan.user_data()
    others = sorted(
        {
            each.name
            for each in plan.resources
            if each.name in machines and own.keys().isdisjoint(_above(each.urn, parents))
        }
    )
    if not own:
        raise Refusal(
            [
                Finding(
                    "bundle.no-machine",
                    _(
                        "the stack {stack!r} has no machine of your own, and no bucket for those of a cloud",
                        stack=stack,
                    ),
                    _("server.cloud: ssh, with server.host; or server.weights.bucket"),
                )
            ]
        )
    found = [_nodes.server_node(urn.rpartition("::")[2], server) for urn, server in own.items()]
    places = {each.spec.weights: each.site.region.name for each in own.values() if each.spec.weights is not None}
    return found, others, [*places.items()]


def _above(urn: str, parents: Mapping[str, str]) -> Iterator[str]:
    """What a resource belongs to, itself first."""
    while urn:
        yield urn
        urn = parents.get(urn, "")


def elsewhere(sources: Sources, given: Sequence[str]) -> Sources:
    """The sources with those that are given in the place of their kind. Raises Refusal ``bundle.bad-source``."""
    found: dict[str, list[Any]] = {}
    hubs = data("hubs.json")["hubs"]
    for each in given:
        kind, __, place = each.partition("=")
        if kind == "hub":
            name, __, place = place.partition("=")
            place = place or hubs.get(name, {}).get("endpoint", "")
            row = {"kind": hubs.get(name, {}).get("kind"), "endpoint": place.rstrip("/"), "token": True}
        if kind not in KINDS or not place or (kind != "registry" and not place.startswith(("https://", "http://"))):
            message = _("{given!r} is no source", given=without_secrets(each))
            hint = _("{kinds} and an address, such as pypi=https://…/simple or hub=huggingface=https://…",
                     kinds=either(KINDS))  # fmt: skip
            raise Refusal([Finding("bundle.bad-source", message, hint)])
        found.setdefault(kind, []).append(row if kind == "hub" else place)
    return Sources(
        pypi=tuple(found.get("pypi", sources.pypi)),
        apt=tuple(found.get("apt", sources.apt)),
        registries=tuple(found.get("registry", sources.registries)),
        hubs=tuple(found.get("hub", sources.hubs)),
    )


def collected(asked: Namespace, wanted: Wanted, others: Sequence[str]) -> None:
    """Collect, and tell what came of it."""
    folder = asked.to.expanduser()
    bundle = Bundle(wanted, folder, os.environ.get(TOKEN, ""), _progress)
    try:
        missing = bundle.collect()
    except Full:
        raise Refusal(bundle.missing) from None
    if asked.json:
        if missing:
            sys.stdout.write((folder / manifest.FILE).read_text(encoding="utf-8"))
    else:
        count, size = len(bundle.rows), _size(bundle.bytes)
        say(_("{folder}: {count} files, {size}, for {names}", folder=folder, count=count, size=size,
              names=listed(wanted.names)))  # fmt: skip
        old = list(spare(folder, bundle.rows))
        if old and not missing:
            say(_("{count} files in it are not needed any more, such as {path}", count=len(old), path=old[0]))
        outside(wanted, others)
    if missing:
        raise Refusal([*missing, _unfinished(asked, len(missing))])


def _unfinished(asked: Namespace, count: int) -> Finding:
    message = _("{count} things could not be had, and the machine cannot be set up from this", count=count)
    hint = _("the same again fetches only what is missing; --from names another source")
    return Finding("bundle.incomplete", message, hint)


def listing(asked: Namespace, wanted: Wanted, others: Sequence[str]) -> int:
    """What a bundle would hold, out of what the nodes are rendered to."""
    if asked.json:
        sys.stdout.write(f"{json.dumps(_plain(wanted, others), indent=1, ensure_ascii=False)}\n")
        return DONE
    rows = [(_("kind"), _("what"), _("size"))]
    names = listed(wanted.packages)
    rows.append((_("packages"), _("{names}, and what they need", names=names), _("not known")))
    for each in wanted.environments:
        what = _("{name} {version}: {count}", name=each.name, version=each.version, count=each.packages)
        rows.append((_("wheels"), what, _size(each.bytes)))
    rows += [(_("image"), image, _("not known")) for image in wanted.images]
    for model in wanted.models:
        name, revision = model.get("huggingface") or model.get("modelscope"), model.get("revision")
        what = (
            _("{name} at {revision}", name=name, revision=revision) if revision else _("{name}, the newest", name=name)
        )
        rows.append((_("weights"), what, _("not known")))
    sys.stdout.write("".join(f"{line}\n" for line in aligned(rows)))
    for kind, places in _places(wanted):
        say(_("{kind} from {places}", kind=kind, places=listed(places)))
    outside(wanted, others)
    return DONE


def _places(wanted: Wanted) -> list[tuple[Text | str, list[str]]]:
    """Where each kind of thing comes from, in the order in which it is asked."""
    sources = wanted.sources
    images = [prefix or host for prefix in sources.registries for host in _hosts(wanted)]
    found: list[tuple[Text | str, list[str]]] = [
        (_("packages"), list(sources.apt)),
        (_("wheels"), list(sources.pypi)),
        (_("images"), list(dict.fromkeys(images))),
        (_("weights"), [str(each["endpoint"]) for each in sources.hubs]),
    ]
    return [(kind, places) for kind, places in found if places]


def _hosts(wanted: Wanted) -> list[str]:
    return [each.partition("/")[0] for each in wanted.images]


def outside(wanted: Wanted, others: Sequence[str]) -> None:
    """What no bundle brings."""
    say(_("not in it: NVIDIA's driver, Ubuntu itself, and what the machine's owner has installed"))
    for what, where in wanted.still:
        say(_("asked over a network once it serves: {what} ({where})", what=what, where=without_secrets(where)))
    for name in others:
        say(_("not in it: what {name} needs, which a cloud makes and which fetches by itself", name=name))


def _plain(wanted: Wanted, others: Sequence[str]) -> dict[str, Any]:
    return {
        "machines": list(wanted.names),
        "packages": list(wanted.packages),
        "wheels": [
            {"name": each.name, "version": each.version, "packages": each.packages, "bytes": each.bytes}
            for each in wanted.environments
        ],
        "images": list(wanted.images),
        "weights": [
            {"name": each.get("huggingface") or each.get("modelscope"), "version": each.get("revision")}
            for each in wanted.models
        ],
        "sources": {
            "apt": list(wanted.sources.apt),
            "pypi": list(wanted.sources.pypi),
            "registries": list(wanted.sources.registries),
            "hubs": [each["endpoint"] for each in wanted.sources.hubs],
        },
        "stillAsked": [{"what": told(what, "en"), "where": without_secrets(where)} for what, where in wanted.still],
        "notInIt": list(others),
    }


def _size(size: int) -> str:
    if size < 2**20:
        return f"{-(-size // 2**10)} KiB"
    return f"{size / 2**30:.2f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"


def _progress(text: Text | str) -> None:
    sys.stderr.write(f"{told(text)}\n")
