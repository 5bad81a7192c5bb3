"""A plugin for AWS's rehearsals which is not AWS's: that one was not to be had where these tests were written.

What it is told it takes as the official one does (`endpoints` of `Configure`, credentials of the environment), and it
calls by AWS's own SDK for Python. What it calls for a machine and a VPC is what terraform-provider-aws calls
(internal/service/ec2/ec2_instance.go at 0015dfcd06 and vpc_.go at 00081ce41c, read 2026-11-28); for the others it is
what their APIs ask for. Check and Diff are those of `sim`. So a test with it shows that the rehearsal leads a plugin to
its own servers and that moto takes such calls; not that the official one makes them.
"""

from __future__ import annotations

import sys
import threading
from concurrent import futures
from typing import Any

import boto3
import grpc
from botocore.config import Config
from botocore.exceptions import ClientError

from pulumi_llm._provider_facts.values import Props, reveal
from pulumi_llm._simcloud.plugin import Plugin, token_of
from pulumi_llm._simcloud.simulator import Simulator
from pulumi_llm._simcloud.store import Store
from pulumi_llm._simcloud.wire import empty_pb2, from_struct, provider_pb2, provider_pb2_grpc, to_struct

ACCOUNT = "123456789012"
"""moto's, of which the provider makes names of machines."""


class StandIn(Plugin):
    """Each resource is its calls."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__(simulator)
        self.lock = threading.Lock()
        self.clients: dict[str, Any] = {}
        self.endpoints: dict[str, str] = {}
        self.region, self.tries = "", 1

    def Configure(self, request: Any, context: Any) -> Any:
        given = from_struct(request.args)
        (self.endpoints,) = given["endpoints"]
        assert given["skipCredentialsValidation"] is given["skipMetadataApiCheck"] is True
        self.region = given["region"]
        self.tries = int(given["maxRetries"])
        self.simulator.configure({"region": self.region})
        self.of("sts").get_caller_identity()
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def of(self, service: str) -> Any:
        """A client of a service, which loads for a second and serves all threads."""
        with self.lock:
            if service not in self.clients:
                settings = Config(retries={"total_max_attempts": self.tries}, max_pool_connections=32)
                self.clients[service] = boto3.session.Session().client(
                    service, region_name=self.region, endpoint_url=self.endpoints[service], config=settings
                )
            return self.clients[service]

    @property
    def ec2(self) -> Any:
        return self.of("ec2")

    def Create(self, request: Any, context: Any) -> Any:
        token, given = token_of(request.urn), reveal(from_struct(request.properties))
        id_, outputs = self.simulator.create(token, request.urn, given, preview=True)
        if not request.preview:
            id_ = ""
            try:
                id_ = CREATE[token](self, given)
                outputs = self.state(token, id_, given)
            except ClientError as error:
                self._refuse(context, error)
        return provider_pb2.CreateResponse(id=id_, properties=to_struct(outputs))

    def state(self, token: str, id_: str, given: Props) -> Props:
        kept = {key: value for key, value in given.items() if not key.startswith("__")}
        return {**kept, "id": id_, "region": self.region, "tagsAll": kept.get("tags") or {}, **READ[token](self, id_)}

    def Read(self, request: Any, context: Any) -> Any:
        given = from_struct(request.inputs)
        found = self.state(token_of(request.urn), request.id, given)
        return provider_pb2.ReadResponse(id=request.id, properties=to_struct(found), inputs=to_struct(given))

    def Update(self, request: Any, context: Any) -> Any:
        token, old, given = token_of(request.urn), *map(reveal, map(from_struct, (request.old_inputs, request.news)))
        changed = {key for key in {*old, *given} if old.get(key) != given.get(key) and not key.startswith("__")}
        outputs = {**from_struct(request.olds), **given}
        if not request.preview:
            try:
                UPDATE[token](self, request.id, given, changed)
                outputs = self.state(token, request.id, given)
            except ClientError as error:
                self._refuse(context, error)
        return provider_pb2.UpdateResponse(properties=to_struct(outputs))

    def Delete(self, request: Any, context: Any) -> Any:
        try:
            DELETE[token_of(request.urn)](self, request.id, reveal(from_struct(request.properties)))
        except ClientError as error:
            self._refuse(context, error)
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:
        assert request.tok == "aws:ssm/getParameter:getParameter"
        answer = Props()
        try:
            found = self.of("ssm").get_parameter(Name=from_struct(request.args)["name"], WithDecryption=True)
            answer = {"id": found["Parameter"]["Name"], "insecureValue": found["Parameter"]["Value"]}
        except ClientError as error:
            self._refuse(context, error)
        return provider_pb2.InvokeResponse(**{"return": to_struct(answer)})


CREATE: dict[str, Any] = {}
READ: dict[str, Any] = {}
UPDATE: dict[str, Any] = {}
DELETE: dict[str, Any] = {}


def kind(token: str) -> Any:
    """Register the four calls of a type: methods of a class, each on its own."""

    def add(found: Any) -> Any:
        for table, name in ((CREATE, "create"), (READ, "read"), (UPDATE, "update"), (DELETE, "delete")):
            table[token] = getattr(found, name)
        return found

    return add


def tagged(resource: str, given: Props) -> list[dict[str, Any]]:
    rows = [{"Key": key, "Value": value} for key, value in (given.get("tags") or {}).items()]
    return [{"ResourceType": resource, "Tags": rows}] if rows else []


class Kind:
    """What most types have in common."""

    @staticmethod
    def update(at: StandIn, id_: str, given: Props, changed: set[str]) -> None:
        assert changed <= {"tags"}, changed
        at.ec2.create_tags(Resources=[id_], Tags=tagged("", given)[0]["Tags"])


@kind("aws:ec2/vpc:Vpc")
class Vpc(Kind):
    @staticmethod
    def create(at: StandIn, given: Props) -> str:
        made = at.ec2.create_vpc(CidrBlock=given["cidrBlock"], TagSpecifications=tagged("vpc", given))["Vpc"]["VpcId"]
        at.ec2.modify_vpc_attribute(VpcId=made, EnableDnsHostnames={"Value": given["enableDnsHostnames"]})
        return str(made)

    @staticmethod
    def read(at: StandIn, id_: str) -> Props:
        (found,) = at.ec2.describe_vpcs(VpcIds=[id_])["Vpcs"]
        assert found["State"] == "available"
        names = at.ec2.describe_vpc_attribute(VpcId=id_, Attribute="enableDnsHostnames")["EnableDnsHostnames"]["Value"]
        support = at.ec2.describe_vpc_attribute(VpcId=id_, Attribute="enableDnsSupport")["EnableDnsSupport"]["Value"]
        at.ec2.describe_vpc_attribute(VpcId=id_, Attribute="enableNetworkAddressUsageMetrics")
        own = [{"Name": "vpc-id", "Values": [id_]}]
        at.ec2.describe_network_acls(Filters=[*own, {"Name": "default", "Values": ["true"]}])
        at.ec2.describe_route_tables(Filters=[*own, {"Name": "association.main", "Values": ["true"]}])
        at.ec2.describe_security_groups(Filters=[*own, {"Name": "group-name", "Values": ["default"]}])
        return {"cidrBlock": found["CidrBlock"], "enableDnsHostnames": names, "enableDnsSupport": support}

    @staticmethod
    def delete(at: StandIn, id_: str, state: Props) -> None:
        at.ec2.delete_vpc(VpcId=id_)


@kind("aws:ec2/subnet:Subnet")
class Subnet(Kind):
    @staticmethod
    def create(at: StandIn, given: Props) -> str:
        asked = {"VpcId": given["vpcId"], "CidrBlock": given["cidrBlock"]}
        asked |= {"AvailabilityZone": given["availabilityZone"], "TagSpecifications": tagged("subnet", given)}
        return str(at.ec2.create_subnet(**asked)["Subnet"]["SubnetId"])

    @staticmethod
    def read(at: StandIn, id_: str) -> Props:
        (found,) = at.ec2.describe_subnets(SubnetIds=[id_])["Subnets"]
        return {"mapPublicIpOnLaunch": found["MapPublicIpOnLaunch"], "availabilityZone": found["AvailabilityZone"]}

    @staticmethod
    def delete(at: StandIn, id_: str, state: Props) -> None:
        at.ec2.describe_network_interfaces(Filters=[{"Name": "subnet-id", "Values": [id_]}])
        at.ec2.delete_subnet(SubnetId=id_)


@kind("aws:ec2/internetGateway:InternetGateway")
class Gateway(Kind):
    @staticmethod
    def create(at: StandIn, given: Props) -> str:
        made = at.ec2.create_internet_gateway(TagSpecifications=tagged("internet-gateway", given))["InternetGateway"]
        at.ec2.attach_internet_gateway(InternetGatewayId=made["InternetGatewayId"], VpcId=given["vpcId"])
        return str(made["InternetGatewayId"])

    @staticmethod
    def read(at: StandIn, id_: str) -> Props:
        (found,) = at.ec2.describe_internet_gateways(InternetGatewayIds=[id_])["InternetGateways"]
        return {"vpcId": found["Attachments"][0]["VpcId"]}

    @staticmethod
    def delete(at: StandIn, id_: str, state: Props) -> None:
        at.ec2.detach_internet_gateway(InternetGatewayId=id_, VpcId=state["vpcId"])
        at.ec2.delete_internet_gateway(InternetGatewayId=id_)


@kind("aws:ec2/routeTable:RouteTable")
class Table(Kind):
    @staticmethod
    def create(at: StandIn, given: Props) -> str:
        asked = {"VpcId": given["vpcId"], "TagSpecifications": tagged("route-table", given)}
        return str(at.ec2.create_route_table(**asked)["RouteTable"]["RouteTableId"])

    @staticmethod
    def read(at: StandIn, id_: str) -> Props:
        (found,) = at.ec2.describe_route_tables(RouteTableIds=[id_])["RouteTables"]
        return {"vpcId": found["VpcId"]}

    @staticmethod
    def delete(at: StandIn, id_: str, state: Props) -> None:
        at.ec2.delete_route_table(RouteTableId=id_)


@kind("aws:ec2/route:Route")
class Route(Kind):
    @staticmethod
    def create(at: StandIn, given: Props) -> str:
        table, there = given["routeTableId"], given["destinationCidrBlock"]
        at.ec2.create_route(RouteTableId=table, DestinationCidrBlock=there, GatewayId=given["gatewayId"])
        return f"r-{table}1080289494"

    @staticmethod
    def read(at: StandIn, id_: str) -> Props:
        (found,) = at.ec2.describe_route_tables(RouteTableIds=[id_[2:-10]])["RouteTables"]
        (way,) = (each for each in found["Routes"] if each["DestinationCidrBlock"] == "0.0.0.0/0")
        return {"gatewayId": way["GatewayId"], "state": way["State"]}

    @staticmethod
    def delete(at: StandIn, id_: str, state: Props) -> None:
        at.ec2.delete_route(RouteTableId=state["routeTableId"], DestinationCidrBlock=state["destinationCidrBlock"])


@kind("aws:ec2/routeTableAssociation:RouteTableAssociation")
class Association(Kind):
    @staticmethod
    def create(at: StandIn, given: Props) -> str:
        asked = {"RouteTableId": given["routeTableId"], "SubnetId": given["subnetId"]}
        return str(at.ec2.associate_route_table(**asked)["AssociationId"])

    @staticmethod
    def read(at: StandIn, id_: str) -> Props:
        by = [{"Name": "association.route-table-association-id", "Values": [id_]}]
        (found,) = at.ec2.describe_route_tables(Filters=by)["RouteTables"]
        return {"routeTableId": found["RouteTableId"]}

    @staticmethod
    def delete(at: StandIn, id_: str, state: Props) -> None:
        at.ec2.disassociate_route_table(AssociationId=id_)


@kind("aws:ec2/securityGroup:SecurityGroup")
class Group(Kind):
    @staticmethod
    def create(at: StandIn, given: Props) -> str:
        asked = {"GroupName": given.get("name") or f"terraform-{id(given)}", "Description": given["description"]}
        asked |= {"VpcId": given["vpcId"], "TagSpecifications": tagged("security-group", given)}
        made = at.ec2.create_security_group(**asked)["GroupId"]
        at.ec2.describe_security_groups(GroupIds=[made])
        everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        at.ec2.revoke_security_group_egress(GroupId=made, IpPermissions=everything)
        return str(made)

    @staticmethod
    def read(at: StandIn, id_: str) -> Props:
        (found,) = at.ec2.describe_security_groups(GroupIds=[id_])["SecurityGroups"]
        return {"vpcId": found["VpcId"], "description": found["Description"]}

    @staticmethod
    def delete(at: StandIn, id_: str, state: Props) -> None:
        at.ec2.delete_security_group(GroupId=id_)


def permission(given: Props) -> list[dict[str, Any]]:
    found: dict[str, Any] = {"IpProtocol": given["ipProtocol"]}
    if group := given.get("referencedSecurityGroupId"):
        found["UserIdGroupPairs"] = [{"GroupId": group, "Description": given["description"]}]
    else:
        found["IpRanges"] = [{"CidrIp": given["cidrIpv4"], "Description": given["description"]}]
    if given.get("fromPort") is not None:
        found |= {"FromPort": int(given["fromPort"]), "ToPort": int(given["toPort"])}
    return [found]


class Rule(Kind):
    way = ""

    @classmethod
    def create(cls, at: StandIn, given: Props) -> str:
        asked = {"GroupId": given["securityGroupId"], "IpPermissions": permission(given)}
        asked["TagSpecifications"] = tagged("security-group-rule", given)
        made = getattr(at.ec2, f"authorize_security_group_{cls.way}")(**asked)
        return str(made["SecurityGroupRules"][0]["SecurityGroupRuleId"])

    @staticmethod
    def read(at: StandIn, id_: str) -> Props:
        (found,) = at.ec2.describe_security_group_rules(SecurityGroupRuleIds=[id_])["SecurityGroupRules"]
        if group := found.get("ReferencedGroupInfo"):
            return {"referencedSecurityGroupId": group["GroupId"], "securityGroupRuleId": id_}
        return {"cidrIpv4": found["CidrIpv4"], "securityGroupRuleId": id_}

    @classmethod
    def delete(cls, at: StandIn, id_: str, state: Props) -> None:
        asked = {"GroupId": state["securityGroupId"], "SecurityGroupRuleIds": [id_]}
        getattr(at.ec2, f"revoke_security_group_{cls.way}")(**asked)


@kind("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
class Ingress(Rule):
    way = "ingress"


@kind("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")
class Egress(Rule):
    way = "egress"


@kind("aws:ec2/keyPair:KeyPair")
class Key(Kind):
    @staticmethod
    def create(at: StandIn, given: Props) -> str:
        name = f"{given['keyNamePrefix']}{id(given)}"
        asked = {"KeyName": name, "PublicKeyMaterial": given["publicKey"].encode()}
        return str(at.ec2.import_key_pair(**asked, TagSpecifications=tagged("key-pair", given))["KeyName"])

    @staticmethod
    def read(at: StandIn, id_: str) -> Props:
        (found,) = at.ec2.describe_key_pairs(KeyNames=[id_])["KeyPairs"]
        return {"keyName": id_, "keyPairId": found["KeyPairId"], "fingerprint": found["KeyFingerprint"]}

    @staticmethod
    def delete(at: StandIn, id_: str, state: Props) -> None:
        at.ec2.delete_key_pair(KeyName=id_)


@kind("aws:ec2/instance:Instance")
class Instance(Kind):
    @staticmethod
    def create(at: StandIn, given: Props) -> str:
        at.ec2.describe_images(ImageIds=[given["ami"]])  # the name of its system disk
        disk, meta = given["rootBlockDevice"], given["metadataOptions"]
        asked: dict[str, Any] = {
            "ImageId": given["ami"],
            "InstanceType": given["instanceType"],
            "MinCount": 1,
            "MaxCount": 1,
            "KeyName": given["keyName"],
            "UserData": given["userData"],
            "DisableApiStop": given["disableApiStop"],
            "DisableApiTermination": given["disableApiTermination"],
            "InstanceInitiatedShutdownBehavior": given["instanceInitiatedShutdownBehavior"],
            "Monitoring": {"Enabled": given["monitoring"]},
            "Placement": {
                "AvailabilityZone": given["availabilityZone"],
                **({"GroupName": given["placementGroup"]} if given.get("placementGroup") else {}),
            },
            "MetadataOptions": {
                "HttpEndpoint": meta["httpEndpoint"],
                "HttpTokens": meta["httpTokens"],
                "HttpPutResponseHopLimit": int(meta["httpPutResponseHopLimit"]),
                "HttpProtocolIpv6": meta["httpProtocolIpv6"],
                "InstanceMetadataTags": meta["instanceMetadataTags"],
            },
            "NetworkInterfaces": [
                {
                    "DeviceIndex": 0,
                    "AssociatePublicIpAddress": given["associatePublicIpAddress"],
                    "SubnetId": given["subnetId"],
                    "Groups": given["vpcSecurityGroupIds"],
                }
            ],
            "BlockDeviceMappings": [
                {
                    "DeviceName": "/dev/sda1",
                    "Ebs": {
                        "DeleteOnTermination": disk["deleteOnTermination"],
                        "Encrypted": disk["encrypted"],
                        "VolumeSize": int(disk["volumeSize"]),
                        "VolumeType": disk["volumeType"],
                    },
                }
            ],
            "TagSpecifications": tagged("instance", given),
        }
        if profile := given.get("iamInstanceProfile"):
            asked["IamInstanceProfile"] = {"Name": profile}
        made = at.ec2.run_instances(**asked)["Instances"][0]
        assert made["State"]["Name"] == "pending"
        (found,) = at.ec2.describe_instances(InstanceIds=[made["InstanceId"]])["Reservations"][0]["Instances"]
        assert found["State"]["Name"] == "running"
        volume = found["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
        at.ec2.create_tags(Resources=[volume], Tags=tagged("volume", disk)[0]["Tags"])
        shutdown = {"Value": given["instanceInitiatedShutdownBehavior"]}
        at.ec2.modify_instance_attribute(InstanceId=made["InstanceId"], InstanceInitiatedShutdownBehavior=shutdown)
        return str(made["InstanceId"])

    @staticmethod
    def read(at: StandIn, id_: str) -> Props:
        (found,) = at.ec2.describe_instances(InstanceIds=[id_])["Reservations"][0]["Instances"]
        at.ec2.describe_instance_types(InstanceTypes=[found["InstanceType"]])
        template = [{"Name": "resource-id", "Values": [id_]}, {"Name": "key", "Values": ["aws:ec2launchtemplate:id"]}]
        assert at.ec2.describe_tags(Filters=template)["Tags"] == []
        volume = found["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
        (disk,) = at.ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
        for each in ("disableApiStop", "disableApiTermination", "instanceInitiatedShutdownBehavior", "userData"):
            at.ec2.describe_instance_attribute(InstanceId=id_, Attribute=each)
        return {
            "arn": f"arn:aws:ec2:{at.region}:{ACCOUNT}:instance/{id_}",
            "ami": found["ImageId"],
            "instanceType": found["InstanceType"],
            "instanceState": found["State"]["Name"],
            "privateIp": found["PrivateIpAddress"],
            "publicIp": found.get("PublicIpAddress", ""),
            "subnetId": found["SubnetId"],
            "vpcSecurityGroupIds": [each["GroupId"] for each in found["SecurityGroups"]],
            "keyName": found["KeyName"],
            "availabilityZone": found["Placement"]["AvailabilityZone"],
            "placementGroup": found["Placement"]["GroupName"],
            "iamInstanceProfile": found.get("IamInstanceProfile", {}).get("Arn", "").rpartition("/")[2],
            "rootVolume": [disk["VolumeId"], disk["Size"], disk["VolumeType"], disk["Encrypted"]],
        }

    @staticmethod
    def update(at: StandIn, id_: str, given: Props, changed: set[str]) -> None:
        assert changed <= {"tags", "instanceType", "userData", "iamInstanceProfile"}, changed
        if changed & {"iamInstanceProfile"}:
            Instance.give(at, id_, given.get("iamInstanceProfile"))
        if changed & {"instanceType"}:
            at.ec2.stop_instances(InstanceIds=[id_])
            at.ec2.modify_instance_attribute(InstanceId=id_, InstanceType={"Value": given["instanceType"]})
            at.ec2.start_instances(InstanceIds=[id_])

    @staticmethod
    def give(at: StandIn, id_: str, profile: str | None) -> None:
        own = [{"Name": "instance-id", "Values": [id_]}]
        held = at.ec2.describe_iam_instance_profile_associations(Filters=own)["IamInstanceProfileAssociations"]
        if profile and held:
            asked = {"AssociationId": held[0]["AssociationId"], "IamInstanceProfile": {"Name": profile}}
            at.ec2.replace_iam_instance_profile_association(**asked)
        elif profile:
            at.ec2.associate_iam_instance_profile(InstanceId=id_, IamInstanceProfile={"Name": profile})
        elif held:
            at.ec2.disassociate_iam_instance_profile(AssociationId=held[0]["AssociationId"])

    @staticmethod
    def delete(at: StandIn, id_: str, state: Props) -> None:
        at.ec2.modify_instance_attribute(InstanceId=id_, DisableApiTermination={"Value": False})
        at.ec2.modify_instance_attribute(InstanceId=id_, DisableApiStop={"Value": False})
        at.ec2.terminate_instances(InstanceIds=[id_])
        (found,) = at.ec2.describe_instances(InstanceIds=[id_])["Reservations"][0]["Instances"]
        assert found["State"]["Name"] == "terminated"


@kind("aws:ec2/placementGroup:PlacementGroup")
class Near(Kind):
    """What terraform-provider-aws calls: ec2_placement_group.go; it waits for the state, and for its end."""

    @staticmethod
    def create(at: StandIn, given: Props) -> str:
        asked = {"GroupName": given["name"], "Strategy": given["strategy"]}
        at.ec2.create_placement_group(**asked, TagSpecifications=tagged("placement-group", given))
        return str(given["name"])

    @staticmethod
    def read(at: StandIn, id_: str) -> Props:
        (found,) = at.ec2.describe_placement_groups(GroupNames=[id_])["PlacementGroups"]
        assert found["State"] == "available"
        return {"placementGroupId": found["GroupId"], "strategy": found["Strategy"], "arn": found["GroupArn"]}

    @staticmethod
    def update(at: StandIn, id_: str, given: Props, changed: set[str]) -> None:
        (found,) = at.ec2.describe_placement_groups(GroupNames=[id_])["PlacementGroups"]
        Kind.update(at, found["GroupId"], given, changed)

    @staticmethod
    def delete(at: StandIn, id_: str, state: Props) -> None:
        at.ec2.delete_placement_group(GroupName=id_)
        own = [{"Name": "group-name", "Values": [id_]}]
        assert at.ec2.describe_placement_groups(Filters=own)["PlacementGroups"] == []


@kind("aws:ec2/eip:Eip")
class Eip(Kind):
    @staticmethod
    def create(at: StandIn, given: Props) -> str:
        asked = {"Domain": "vpc", "TagSpecifications": tagged("elastic-ip", given)}
        return str(at.ec2.allocate_address(**asked)["AllocationId"])

    @staticmethod
    def read(at: StandIn, id_: str) -> Props:
        (found,) = at.ec2.describe_addresses(AllocationIds=[id_])["Addresses"]
        at.ec2.describe_addresses_attribute(AllocationIds=[id_], Attribute="domain-name")
        return {"publicIp": found["PublicIp"], "allocationId": id_}

    @staticmethod
    def delete(at: StandIn, id_: str, state: Props) -> None:
        at.ec2.release_address(AllocationId=id_)


@kind("aws:ec2/eipAssociation:EipAssociation")
class Bound(Kind):
    @staticmethod
    def create(at: StandIn, given: Props) -> str:
        asked = {"AllocationId": given["allocationId"], "InstanceId": given["instanceId"]}
        return str(at.ec2.associate_address(**asked, AllowReassociation=False)["AssociationId"])

    @staticmethod
    def read(at: StandIn, id_: str) -> Props:
        (found,) = at.ec2.describe_addresses(Filters=[{"Name": "association-id", "Values": [id_]}])["Addresses"]
        return {"instanceId": found["InstanceId"], "publicIp": found["PublicIp"]}

    @staticmethod
    def delete(at: StandIn, id_: str, state: Props) -> None:
        at.ec2.disassociate_address(AssociationId=id_)


@kind("aws:ebs/volume:Volume")
class Volume(Kind):
    @staticmethod
    def create(at: StandIn, given: Props) -> str:
        asked = {"AvailabilityZone": given["availabilityZone"], "Size": int(given["size"])}
        asked |= {"VolumeType": given["type"], "Encrypted": given["encrypted"]}
        made = at.ec2.create_volume(**asked, TagSpecifications=tagged("volume", given))
        return str(made["VolumeId"])

    @staticmethod
    def read(at: StandIn, id_: str) -> Props:
        (found,) = at.ec2.describe_volumes(VolumeIds=[id_])["Volumes"]
        return {"size": found["Size"], "type": found["VolumeType"], "encrypted": found["Encrypted"]}

    @staticmethod
    def update(at: StandIn, id_: str, given: Props, changed: set[str]) -> None:
        assert changed == {"size"}, changed
        at.ec2.modify_volume(VolumeId=id_, Size=int(given["size"]))
        at.ec2.describe_volumes_modifications(VolumeIds=[id_])

    @staticmethod
    def delete(at: StandIn, id_: str, state: Props) -> None:
        at.ec2.delete_volume(VolumeId=id_)


@kind("aws:ec2/volumeAttachment:VolumeAttachment")
class Plugged(Kind):
    @staticmethod
    def create(at: StandIn, given: Props) -> str:
        asked = {"Device": given["deviceName"], "InstanceId": given["instanceId"], "VolumeId": given["volumeId"]}
        at.ec2.describe_instances(InstanceIds=[given["instanceId"]])
        at.ec2.attach_volume(**asked)
        return f"vai-{given['volumeId']}"

    @staticmethod
    def read(at: StandIn, id_: str) -> Props:
        (found,) = at.ec2.describe_volumes(VolumeIds=[id_.removeprefix("vai-")])["Volumes"]
        return {"instanceId": found["Attachments"][0]["InstanceId"]}

    @staticmethod
    def delete(at: StandIn, id_: str, state: Props) -> None:
        if state.get("stopInstanceBeforeDetaching"):
            at.ec2.stop_instances(InstanceIds=[state["instanceId"]], Force=False)
        asked = {"Device": state["deviceName"], "InstanceId": state["instanceId"], "VolumeId": state["volumeId"]}
        at.ec2.detach_volume(**asked, Force=bool(state.get("forceDetach")))


@kind("aws:route53/record:Record")
class Name(Kind):
    @staticmethod
    def change(at: StandIn, action: str, given: Props) -> None:
        row = {"Name": given["name"], "Type": given["type"], "TTL": int(given["ttl"])}
        row["ResourceRecords"] = [{"Value": each} for each in given["records"]]
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": row}], "Comment": "Managed by Terraform"}
        zone = given["zoneId"]
        made = at.of("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)["ChangeInfo"]
        at.of("route53").get_change(Id=made["Id"])

    @staticmethod
    def create(at: StandIn, given: Props) -> str:
        assert at.of("route53").get_hosted_zone(Id=given["zoneId"])["HostedZone"]["Name"] == "."
        Name.change(at, "CREATE", given)
        return f"{given['zoneId']}_{given['name']}_{given['type']}"

    @staticmethod
    def read(at: StandIn, id_: str) -> Props:
        zone, name, type_ = id_.split("_")
        asked = {"HostedZoneId": zone, "StartRecordName": name, "StartRecordType": type_, "MaxItems": "1"}
        (found,) = at.of("route53").list_resource_record_sets(**asked)["ResourceRecordSets"]
        assert found["Name"] == f"{name}."
        return {"fqdn": name, "records": [each["Value"] for each in found["ResourceRecords"]]}

    @staticmethod
    def update(at: StandIn, id_: str, given: Props, changed: set[str]) -> None:
        Name.change(at, "UPSERT", given)

    @staticmethod
    def delete(at: StandIn, id_: str, state: Props) -> None:
        Name.change(at, "DELETE", state)


@kind("aws:iam/role:Role")
class Role(Kind):
    @staticmethod
    def create(at: StandIn, given: Props) -> str:
        asked = {"RoleName": given["name"], "AssumeRolePolicyDocument": given["assumeRolePolicy"], "Path": "/"}
        tags = tagged("", given)[0]["Tags"]
        made = at.of("iam").create_role(**asked, Description=given["description"], Tags=tags)
        return str(made["Role"]["RoleName"])

    @staticmethod
    def read(at: StandIn, id_: str) -> Props:
        found = at.of("iam").get_role(RoleName=id_)["Role"]
        at.of("iam").list_role_policies(RoleName=id_)
        at.of("iam").list_attached_role_policies(RoleName=id_)
        return {"name": found["RoleName"], "arn": found["Arn"], "uniqueId": found["RoleId"]}

    @staticmethod
    def delete(at: StandIn, id_: str, state: Props) -> None:
        assert at.of("iam").list_instance_profiles_for_role(RoleName=id_)["InstanceProfiles"] == []
        at.of("iam").delete_role(RoleName=id_)


@kind("aws:iam/instanceProfile:InstanceProfile")
class Profile(Kind):
    @staticmethod
    def create(at: StandIn, given: Props) -> str:
        name = given["name"]
        at.of("iam").create_instance_profile(InstanceProfileName=name, Path="/", Tags=tagged("", given)[0]["Tags"])
        at.of("iam").add_role_to_instance_profile(InstanceProfileName=name, RoleName=given["role"])
        return str(name)

    @staticmethod
    def read(at: StandIn, id_: str) -> Props:
        found = at.of("iam").get_instance_profile(InstanceProfileName=id_)["InstanceProfile"]
        return {"name": id_, "arn": found["Arn"], "role": found["Roles"][0]["RoleName"]}

    @staticmethod
    def delete(at: StandIn, id_: str, state: Props) -> None:
        at.of("iam").remove_role_from_instance_profile(InstanceProfileName=id_, RoleName=state["role"])
        at.of("iam").delete_instance_profile(InstanceProfileName=id_)


@kind("aws:iam/rolePolicy:RolePolicy")
class Allowed(Kind):
    @staticmethod
    def create(at: StandIn, given: Props) -> str:
        asked = {"RoleName": given["role"], "PolicyName": given["name"]}
        at.of("iam").put_role_policy(**asked, PolicyDocument=given["policy"])
        return f"{given['role']}:{given['name']}"

    @staticmethod
    def read(at: StandIn, id_: str) -> Props:
        role, name = id_.split(":")
        at.of("iam").get_role_policy(RoleName=role, PolicyName=name)
        return {"role": role, "name": name}

    @staticmethod
    def update(at: StandIn, id_: str, given: Props, changed: set[str]) -> None:
        assert changed == {"policy"}, changed
        Allowed.create(at, given)

    @staticmethod
    def delete(at: StandIn, id_: str, state: Props) -> None:
        at.of("iam").delete_role_policy(RoleName=state["role"], PolicyName=state["name"])


def main() -> None:
    """Serve until killed."""
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=16), options=[("grpc.absolute_max_metadata_size", 1 << 20)]
    )
    plugin = StandIn(Simulator("aws", Store(None)))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(plugin, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
