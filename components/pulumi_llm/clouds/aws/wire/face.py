"""AWS as moto answers for it, with what moto does not judge judged by the rules of `sim`.

moto (https://github.com/getmoto/moto, 5.2.5, read 2026-11-28) keeps the state and writes the answers. What is ours:

* images: those of ``simulated.json``, under their ids, and the public SSM parameters that name them;
* a machine's subnet, groups, key, image, type, zone, quota and stock (:func:`simulated.instance.judged`): moto takes
  any image, any key's name, and has stock of everything;
* hosted zones: one that is asked for exists, is called ``.``, and takes any name, as a stack names its zone by an id;
* what exists, as records of the store: commands over SSH and what `destroy` leaves are judged there.

Where moto falls short of EC2 stands in docs/decisions/rehearsal.md.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._rehearsal.calls import Actions, Record, WireCall, WireError
from pulumi_llm._rehearsal.face import Face
from pulumi_llm._rehearsal.server import Reply
from pulumi_llm._simcloud import images
from pulumi_llm._simcloud.faults import Faults
from pulumi_llm._simcloud.rules.base import Call, CloudError
from pulumi_llm._simcloud.store import Store

from ..simulated import common as types
from ..simulated.instance import judged
from . import mirror
from .protocol import JSON, REPLY, AwsCall, RefusedError, code_of, protocol

HOST = "https://{service}.{region}.amazonaws.com"
SERVICES = ("ec2", "iam", "kms", "route53", "ssm", "sts")
"""What a rehearsal's calls touch; moto keeps state for the whole process, and it begins empty."""
SETTINGS = {"MOTO_EC2_LOAD_DEFAULT_AMIS": "false"}
ACCOUNT = "123456789012"
"""moto's, where the credentials are none that it made itself."""

MADE = {
    "CreateVpc": types.VPC,
    "CreateSubnet": types.SUBNET,
    "CreateInternetGateway": types.GATEWAY,
    "CreateRouteTable": types.TABLE,
    "CreateRoute": types.ROUTE,
    "CreateSecurityGroup": types.GROUP,
    "ImportKeyPair": types.KEY,
    "RunInstances": types.INSTANCE,
    "AllocateAddress": types.EIP,
    "AssociateAddress": types.EIP_ASSOCIATION,
    "CreatePlacementGroup": types.GROUP_OF_MACHINES,
    "CreateVolume": types.VOLUME,
    "AttachVolume": types.ATTACHMENT,
    "CreateRole": types.ROLE,
    "CreateInstanceProfile": types.PROFILE,
}
"""What an action makes: faults are about types."""
ENDED = {
    "DeleteVpc": types.VPC,
    "DeleteSubnet": types.SUBNET,
    "DeleteInternetGateway": types.GATEWAY,
    "DeleteRouteTable": types.TABLE,
    "DeleteRoute": types.ROUTE,
    "DeleteSecurityGroup": types.GROUP,
    "DeleteKeyPair": types.KEY,
    "TerminateInstances": types.INSTANCE,
    "ReleaseAddress": types.EIP,
    "DisassociateAddress": types.EIP_ASSOCIATION,
    "DeletePlacementGroup": types.GROUP_OF_MACHINES,
    "DeleteVolume": types.VOLUME,
    "DetachVolume": types.ATTACHMENT,
    "DeleteRole": types.ROLE,
    "DeleteInstanceProfile": types.PROFILE,
}
"""What an action deletes."""

REFUSAL = re.compile(r"StatusCode: (\d+), .*?api error (\S+): (.*)", re.DOTALL)

ACTIONS = Actions()
"""Those that are answered before moto is asked."""


@contextmanager
def nobodys_account() -> Iterator[None]:
    """Within it AWS's SDK, which moto asks for regions, sees no variable and no file of the user's.

    It would read a profile there, and fail where that is missing.
    """
    held = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    for name in held:
        del os.environ[name]
    none = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    os.environ.update({**none, **SETTINGS})
    try:
        yield
    finally:
        for name in (*none, *SETTINGS):
            os.environ.pop(name, None)
        os.environ.update(held)


class AwsFace(Face):
    """EC2, IAM, STS and Route 53 by moto; public parameters of SSM by the simulated AWS's data."""

    package = "aws"
    actions = ACTIONS
    extra = "rehearse"  # moto

    def __init__(
        self,
        store: Store,
        faults: Faults | None = None,
        pace: float = 1.0,
        region: str = "",
        record: Record | None = None,
    ) -> None:
        super().__init__(store, faults, pace, region, record)
        self._lock = threading.Lock()
        self._seeded: set[tuple[str, str]] = set()
        with self._lock, nobodys_account():
            from moto.backends import get_backend
            from moto.core.botocore_stubber import BotocoreStubber

            for name in SERVICES:
                get_backend(name).reset()
            self._moto = BotocoreStubber()

    # -- refusals

    def refusal(self, error: CloudError) -> WireError:
        """The API's refusal inside the words of the provider."""
        found = REFUSAL.search(str(error))
        return WireError(found[2], found[3], int(found[1])) if found else WireError("InvalidParameterValue", str(error))

    def unknown(self, call: WireCall) -> WireError:
        """As AWS refuses an action that a service lacks."""
        code = "InvalidAction" if protocol(call.service) in ("ec2", "query") else "UnknownOperationException"
        words = f"The action {call.action} is not valid for this web service."
        return RefusedError(code, words, 400 if call.service != "route53" else 404, call.service)

    def denied(self, call: WireCall) -> WireError:
        """As IAM refuses."""
        code = {"ec2": "UnauthorizedOperation", "ssm": "AccessDeniedException"}.get(call.service, "AccessDenied")
        words = f"You are not authorized to perform this operation: {call.name}, as no identity-based policy allows it"
        return RefusedError(code, words, 400 if call.service == "ssm" else 403, call.service)

    # -- answers

    def answer(self, call: WireCall) -> Props:
        """The answer's bytes. Each call is recorded. Raises :class:`WireError`."""
        if self.faults.denied(call.name):
            return self._refuse(call, self.denied(call))
        fault = self.faults.failing_delete(ENDED.get(call.action, ""))
        if fault and (not fault.once or self.store.spend(fault.spec)):
            # Not with the status 500 that EC2 gives: the SDKs try that again, and the deletion would not fail.
            return self._refuse(
                call, RefusedError("InternalError", "An internal error has occurred", 400, call.service)
            )
        with self._lock, nobodys_account():
            try:
                mine = self.actions.get(call.name)
                reply = mine(self, call)[REPLY] if mine else self.by_moto(call)
            except CloudError as error:
                found = self.refusal(error)
                return self._refuse(call, RefusedError(found.code, found.message, found.status, call.service))
            except NotImplementedError:  # moto's word for an action that it lacks
                return self._refuse(call, self.unknown(call), unknown=True)
            except RefusedError as refused:
                return self._refuse(call, refused)
            except Exception as error:  # moto is not ours: whatever it meets, the plugin gets an answer
                words = f"moto cannot answer {call.name}: {type(error).__name__} {error}"
                return self._refuse(call, RefusedError("InternalError", words, 500, call.service))
        if reply.status >= 400:
            code, words = code_of(reply)
            return self._refuse(call, RefusedError(code, words, reply.status, call.service, reply))
        self.record.add(call, package=self.package)
        if slow := self.faults.slowness(MADE.get(call.action, "")):  # EC2 has it already: only the answer takes long
            time.sleep(slow)
        return {REPLY: reply}

    def by_moto(self, call: WireCall) -> Reply:
        """moto's answer. Raises ``NotImplementedError`` for what it lacks, ``CloudError`` for a region that is none."""
        from botocore.awsrequest import AWSPreparedRequest
        from botocore.compat import HTTPHeaders

        if call.service not in SERVICES or not isinstance(call, AwsCall):
            raise NotImplementedError
        self.simulator(call)  # a region that is none is refused
        self.seed(call)
        headers = HTTPHeaders()
        for name, value in call.request.headers.items():
            headers[name] = value
        host = HOST.format(service=call.service, region=call.region)
        query = "&".join(f"{key}={value}" for key, value in call.request.query.items())
        address = f"{host}{call.request.path}{'?' + query if query else ''}"
        headers["host"] = host.removeprefix("https://")
        asked = AWSPreparedRequest(call.request.method, address, headers, call.request.body, stream_output=False)
        answered = self._moto.process_request(asked)
        if answered is None or (answered[0] == 404 and answered[2] in ("", "Not yet implemented")):
            raise NotImplementedError
        status, found, body = answered
        if not call.action.startswith(("Describe", "Get", "List")):
            mirror.into(self.store, self.backend(call.service, call.region), call.region, call.service)
        raw = body.encode() if isinstance(body, str) else bytes(body)
        return Reply(int(status), raw, str({k.lower(): v for k, v in found.items()}.get("content-type", "text/xml")))

    def backend(self, service: str, region: str) -> Any:
        """moto's state of a service in a region."""
        from moto.backends import get_backend

        regions = get_backend(service)[ACCOUNT]
        return regions[region if service not in ("iam", "route53") else "aws"]

    def seed(self, call: WireCall) -> None:
        """Let a region have its images, and Route 53 the zone that is asked for."""
        if call.service == "route53" and (
            zone := str(call.parameters.get("Id") or call.parameters.get("HostedZoneId"))
        ):
            from moto.route53.models import FakeZone

            zones = self.backend("route53", call.region).zones
            if call.action != "GetChange" and zone.startswith("Z"):
                zones.setdefault(zone, FakeZone(".", zone, private_zone=False, caller_reference="rehearsal"))
        day = images.newest_date(self.package, self.faults)
        if call.service != "ec2" or (call.region, day) in self._seeded:
            return
        from moto.ec2.models.amis import Ami

        backend = self.backend("ec2", call.region)
        for each in images.of_day(self.package, call.region, day):
            backend.amis[each.id] = Ami(
                backend,
                each.id,
                name=each.name,
                owner_id=each.owner,
                owner_alias=each.alias or None,
                public=True,
                architecture=each.arch,
                virtualization_type="hvm",
                root_device_type="ebs",
                region_name=f"{call.region}a",
                hypervisor="xen",
            )
        self._seeded.add((call.region, day))


def _machines(face: AwsFace, call: WireCall) -> list[Any]:
    return [each for found in face.backend("ec2", call.region).all_reservations() for each in found.instances]


@ACTIONS.on("ec2:RunInstances")
def _run(face: AwsFace, call: WireCall) -> Props:
    """A machine that the rules of `sim` let be made is then made by moto."""
    given = call.parameters
    own = given.get("NetworkInterface.1.DeviceIndex") is not None
    card = "NetworkInterface.1." if own else ""
    groups = [value for key, value in given.items() if key.startswith(f"{card}SecurityGroupId.")]
    disk = "BlockDeviceMapping.1.Ebs."
    size = given.get(f"{disk}VolumeSize")
    if size is not None and not size.isdigit():
        raise RefusedError("InvalidParameterValue", f"Value ({size}) for parameter VolumeSize is invalid.")
    root = {
        "volumeSize": int(size) if size else None,
        "volumeType": given.get(f"{disk}VolumeType"),
        "throughput": given.get(f"{disk}Throughput"),
    }
    inputs = {
        "ami": given.get("ImageId"),
        "instanceType": given.get("InstanceType"),
        "availabilityZone": given.get("Placement.AvailabilityZone"),
        "subnetId": given.get(f"{card}SubnetId"),
        "vpcSecurityGroupIds": groups,
        "keyName": given.get("KeyName"),
        "iamInstanceProfile": given.get("IamInstanceProfile.Name"),
        "placementGroup": given.get("Placement.GroupName"),
        "rootBlockDevice": {key: value for key, value in root.items() if value is not None},
    }
    wanted = {key: value for key, value in inputs.items() if value is not None}
    offers = face.simulator(call).offers
    face.seed(call)
    judged(Call(types.INSTANCE, f"wire::{call.action}", call.region, wanted, face.store, offers, face.faults))
    before = {each.id for each in _machines(face, call)}
    made = face.by_moto(call)
    for machine in _machines(face, call):
        if not machine.security_groups:  # moto takes those of a network card for none of the machine's
            machine.security_groups = list(machine.nics[0].group_set)
        if machine.id not in before:
            machine.placement.group_name = given.get("Placement.GroupName", "")  # which moto does not read
    mirror.into(face.store, face.backend("ec2", call.region), call.region, call.service)
    return {REPLY: made}


@ACTIONS.on("ssm:GetParameter")
def _parameter(face: AwsFace, call: WireCall) -> Props:
    """A public parameter: moto has some of AWS's own, and of other publishers none."""
    face.simulator(call)
    name = str(call.parameters.get("Name"))
    for each in images.public(face.package, call.region, face.faults):
        if name in each.parameters:
            found = {"Name": name, "Type": "String", "Value": each.id, "Version": 1, "DataType": "aws:ec2:image"}
            found |= {"ARN": f"arn:aws:ssm:{call.region}::parameter{name}", "LastModifiedDate": time.time()}
            return {REPLY: Reply(200, json.dumps({"Parameter": found}).encode(), JSON)}
    raise RefusedError("ParameterNotFound", "", 400, "ssm")
