"""What the adapters share: sizes and images from the catalogue, names that a cloud accepts, and ordering
of resources.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from typing import TYPE_CHECKING, cast

import pulumi

from pulumi_llm import _disks as disks
from pulumi_llm import catalog
from pulumi_llm.clouds.capabilities import Capability
from pulumi_llm.errors import Refusal
from pulumi_llm.preflight import capabilities
from pulumi_llm.preflight.placement import sold_size as sold_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pulumi_llm.clouds.base import MachineRequest, Parts, Rule, Scope
    from pulumi_llm.clouds.plans import WayOut

PURPOSE, FOR_TPU = "ubuntu-24.04", "tpu"
ROLE_ABOUT = "Lets one machine of pulumi-llm stop itself, and nothing else"
STARTS_ABOUT = "Lets one machine of pulumi-llm start the others of its server, and nothing else"


def fitted(name: str, limit: int, forbidden: str = r"[^A-Za-z0-9_-]") -> str:
    """``name`` as a cloud takes it: a letter first, ``forbidden`` characters as dashes, at most ``limit``.

    A name that is cut ends in a digest of the whole, so that two long names stay two.
    """
    clean = re.sub(forbidden, "-", name)
    if not re.match(r"[A-Za-z]", clean):
        clean = f"llm-{clean}"
    return shortened(clean, limit, name)


def shortened(name: str, limit: int, whole: str | None = None) -> str:
    """``name`` in at most ``limit`` characters; one that is cut ends in a digest of the ``whole`` name."""
    if len(name) <= limit:
        return name
    return f"{name[: limit - 7]}-{hashlib.sha256((whole or name).encode()).hexdigest()[:6]}"


def role_name(name: str, scope: Scope, limit: int = 64) -> str:
    """What a role is called: an account has one by each name, whatever the stack and the region."""
    whole = f"{pulumi.get_project()}-{pulumi.get_stack()}-{name}-{scope.region}"
    return fitted(whole, limit)


def short_of(text: str) -> str:
    """Six letters and digits that stand for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def openings(rules: Iterable[Rule]) -> Iterator[tuple[str, Rule, pulumi.Input[str]]]:
    """Each pair of port and range once, with a label for it.

    The label comes from the range itself, so that taking one out of a list leaves the others alone: were they
    numbered, each would move up by one, onto a range that its neighbour still holds. What is not known yet is numbered.
    """
    seen: set[str] = set()
    unknown: Counter[int] = Counter()
    for rule in rules:
        for cidr in rule.cidrs:
            if isinstance(cidr, str):
                label = f"{rule.port}-{cidr.replace('/', '-')}"
            else:
                label = f"{rule.port}-{unknown[rule.port]}"
                unknown[rule.port] += 1
            if label not in seen:
                seen.add(label)
                yield label, rule, cidr


def closes_nothing(cloud: str, out: Sequence[WayOut] | None) -> None:
    """For a cloud without such rules. Raises Refusal ``cloud.cannot`` where the ways out are named."""
    if out is not None:
        raise Refusal(capabilities.lacking(cloud, [Capability.CLOSED]))


def image_row(cloud: str, instance_type: str) -> catalog.Image:
    """How to look up plain Ubuntu 24.04 for the architecture of ``instance_type``, or what a TPU's machine wants.

    Raises :class:`UnknownName` where the catalogue knows no such type, or no image of its architecture.
    """
    data = catalog.load()
    row = data.instance(cloud, instance_type)
    return data.image(cloud, FOR_TPU if has_tpu(row) else PURPOSE, row.arch)


def has_tpu(row: catalog.Instance) -> bool:
    """Whether a machine has the chips of a TPU, which are in its type and nowhere else."""
    return row.gpu is not None and catalog.load().gpus[row.gpu].tpu


def of_another_image(row: catalog.Instance) -> str:
    """What a machine's name ends with where it starts from another image than most: see `machine_name`."""
    return "".join(f"-{each}" for each in (row.arch, FOR_TPU if has_tpu(row) else "") if each not in ("x86_64", ""))


def address_name(name: str, cloud: Parts, instance_type: str) -> str:
    """The logical name of a machine's address.

    Where a machine is made with its address, two cannot be made with one: that which starts from another image is
    another resource, and has another address.
    """
    if not cloud.address_at_launch:
        return f"{name}-address"
    return f"{name}-address{of_another_image(catalog.load().instance(cloud.name, instance_type))}"


def launch_only(renew: bool, image: str, user_data: str, key: str) -> list[str]:
    """The inputs that shape a machine at launch alone, ignored afterwards unless ``renew``.

    A newer image, other boot instructions or another key would replace, reinstall or restart a machine whose
    GPU may be sold out. What is to change on a running machine goes over SSH.
    """
    return [] if renew else [image, user_data, key]


def machine_name(name: str, request: MachineRequest, arch: str = "x86_64") -> str:
    """The machine's logical name, which holds what cannot change in place: the zone, the architecture, the group.

    Ignored inputs keep their old values even where the engine replaces a resource. So a machine that must
    move would start from the old image, which another architecture cannot run and another region may not
    have. With another logical name it is another machine, made from the newest image and its own boot
    instructions. And a cloud that tells itself which group a machine is in sees no change where none is named any more:
    the group would be deleted below a machine.
    """
    near = "" if request.near is None else "-near"
    return f"{name}-{request.zone}{near}" if arch == "x86_64" else f"{name}-{request.zone}-{arch}{near}"


def never_smaller(name: str, scope: Scope, path: str, *, system: bool = False) -> pulumi.ResourceHookBinding:
    """The hook that refuses a smaller disk before the resource is changed, in previews too.

    ``path`` is where the size is in the resource's inputs. A disk that is replaced may have any size. What is held
    against the new size is what the state holds, so a larger one that the cloud refused is not in the way.
    """

    def judge(args: pulumi.ResourceHookArgs) -> None:
        old, new = disks.size_at(args.old_inputs, path), disks.size_at(args.new_inputs, path)
        found = disks.shrinking(args.urn, path, old, new, system=system)
        if found is not None:
            raise Refusal([found])

    # Names of hooks are the whole program's.
    parent = f"{scope.parent.pulumi_resource_type}::{scope.parent.pulumi_resource_name}"
    options = pulumi.ResourceHookOptions(on_dry_run=True)
    hook = pulumi.ResourceHook(f"no smaller disk: {parent}::{name}", judge, options)
    return pulumi.ResourceHookBinding(before_update=[hook])


def after(value: pulumi.Output[str], resources: Iterable[pulumi.Resource]) -> pulumi.Output[str]:
    """``value``, and whoever uses it waits for ``resources`` too (and goes before them when all is
    destroyed).
    """
    waited = set(resources)

    async def all_of_them() -> set[pulumi.Resource]:
        return await value.resources() | waited

    async def itself() -> str:
        return cast("str", await value.future(with_unknowns=True))

    return pulumi.Output(all_of_them(), itself(), value.is_known(), value.is_secret())
