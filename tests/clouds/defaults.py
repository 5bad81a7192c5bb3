"""What must be said to each cloud, whatever its own defaults are: (type, path of the input, value)."""

from __future__ import annotations

from typing import Any

from tests.clouds.harness import Recording, value_at

Row = tuple[str, str, Any]

AWS: tuple[Row, ...] = (
    ("aws:ec2/vpc:Vpc", "enableDnsSupport", True),
    ("aws:ec2/vpc:Vpc", "enableDnsHostnames", True),
    ("aws:ec2/subnet:Subnet", "mapPublicIpOnLaunch", False),
    ("aws:ec2/route:Route", "destinationCidrBlock", "0.0.0.0/0"),
    ("aws:ec2/securityGroup:SecurityGroup", "description", "Machines of pulumi-llm"),
    ("aws:ec2/securityGroup:SecurityGroup", "ingress", None),
    ("aws:ec2/securityGroup:SecurityGroup", "egress", None),
    ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "ipProtocol", "tcp"),
    ("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "ipProtocol", "-1"),
    ("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "cidrIpv4", "0.0.0.0/0"),
    ("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "description", "Everything out"),
    ("aws:ec2/keyPair:KeyPair", "keyName", None),
    ("aws:ec2/keyPair:KeyPair", "keyNamePrefix", "qwen-key-"),
    ("aws:ec2/instance:Instance", "associatePublicIpAddress", True),
    ("aws:ec2/instance:Instance", "rootBlockDevice.encrypted", True),
    ("aws:ec2/instance:Instance", "rootBlockDevice.volumeType", "gp3"),
    ("aws:ec2/instance:Instance", "rootBlockDevice.deleteOnTermination", True),
    ("aws:ec2/instance:Instance", "metadataOptions.httpEndpoint", "enabled"),
    ("aws:ec2/instance:Instance", "metadataOptions.httpTokens", "required"),
    ("aws:ec2/instance:Instance", "metadataOptions.httpPutResponseHopLimit", 1),
    ("aws:ec2/instance:Instance", "metadataOptions.httpProtocolIpv6", "disabled"),
    ("aws:ec2/instance:Instance", "metadataOptions.instanceMetadataTags", "disabled"),
    ("aws:ec2/instance:Instance", "instanceMarketOptions", None),
    ("aws:ec2/instance:Instance", "instanceInitiatedShutdownBehavior", "stop"),
    ("aws:ec2/instance:Instance", "disableApiTermination", False),
    ("aws:ec2/instance:Instance", "disableApiStop", False),
    ("aws:ec2/instance:Instance", "sourceDestCheck", True),
    ("aws:ec2/instance:Instance", "monitoring", False),
    ("aws:ec2/instance:Instance", "userDataReplaceOnChange", False),
    ("aws:ec2/instance:Instance", "userDataBase64", None),
    ("aws:ec2/eip:Eip", "domain", "vpc"),
    ("aws:route53/record:Record", "type", "A"),
    ("aws:ec2/eipAssociation:EipAssociation", "allowReassociation", False),
    ("aws:ebs/volume:Volume", "encrypted", True),
    ("aws:ebs/volume:Volume", "type", "gp3"),
    ("aws:ebs/volume:Volume", "finalSnapshot", False),
    ("aws:ec2/volumeAttachment:VolumeAttachment", "deviceName", "/dev/sdf"),
    ("aws:ec2/volumeAttachment:VolumeAttachment", "stopInstanceBeforeDetaching", True),
    ("aws:ec2/volumeAttachment:VolumeAttachment", "forceDetach", False),
    ("aws:ec2/volumeAttachment:VolumeAttachment", "skipDestroy", False),
)

AWS_SPOT: tuple[Row, ...] = (
    ("aws:ec2/instance:Instance", "instanceMarketOptions.marketType", "spot"),
    ("aws:ec2/instance:Instance", "instanceMarketOptions.spotOptions.spotInstanceType", "one-time"),
    (
        "aws:ec2/instance:Instance",
        "instanceMarketOptions.spotOptions.instanceInterruptionBehavior",
        "terminate",
    ),
    ("aws:ec2/volumeAttachment:VolumeAttachment", "stopInstanceBeforeDetaching", False),
    ("aws:ec2/volumeAttachment:VolumeAttachment", "forceDetach", True),
)

RULE = "alicloud:ecs/securityGroupRule:SecurityGroupRule"

ALIYUN: tuple[Row, ...] = (
    ("alicloud:ecs/securityGroup:SecurityGroup", "securityGroupType", "normal"),
    ("alicloud:ecs/securityGroup:SecurityGroup", "innerAccessPolicy", "Drop"),
    ("alicloud:ecs/securityGroup:SecurityGroup", "description", "Machines of pulumi-llm"),
    (f"{RULE}#in", "type", "ingress"),
    (f"{RULE}#in", "policy", "accept"),
    (f"{RULE}#in", "priority", 1),
    (f"{RULE}#in", "ipProtocol", "tcp"),
    (f"{RULE}#in", "nicType", "intranet"),
    (f"{RULE}#out", "type", "egress"),
    (f"{RULE}#out", "policy", "accept"),
    (f"{RULE}#out", "priority", 1),
    (f"{RULE}#out", "ipProtocol", "all"),
    (f"{RULE}#out", "portRange", "-1/-1"),
    (f"{RULE}#out", "cidrIp", "0.0.0.0/0"),
    (f"{RULE}#out", "nicType", "intranet"),
    (f"{RULE}#out", "description", "Everything out"),
    ("alicloud:ecs/ecsKeyPair:EcsKeyPair", "keyPairName", None),
    ("alicloud:ecs/ecsKeyPair:EcsKeyPair", "keyNamePrefix", "qwen-key-"),
    # This would write a private key to the disk of whoever runs the program.
    ("alicloud:ecs/ecsKeyPair:EcsKeyPair", "keyFile", None),
    ("alicloud:ecs/instance:Instance", "imageOptions.loginAsNonRoot", True),
    ("alicloud:ecs/instance:Instance", "password", None),
    ("alicloud:ecs/instance:Instance", "instanceChargeType", "PostPaid"),
    ("alicloud:ecs/instance:Instance", "spotStrategy", "NoSpot"),
    ("alicloud:ecs/instance:Instance", "spotInterruptionBehavior", None),
    ("alicloud:ecs/instance:Instance", "stoppedMode", None),
    ("alicloud:ecs/instance:Instance", "systemDiskCategory", "cloud_essd"),
    ("alicloud:ecs/instance:Instance", "systemDiskPerformanceLevel", "PL0"),
    ("alicloud:ecs/instance:Instance", "systemDiskEncrypted", True),
    ("alicloud:ecs/instance:Instance", "httpEndpoint", "enabled"),
    ("alicloud:ecs/instance:Instance", "httpTokens", "required"),
    ("alicloud:ecs/instance:Instance", "instanceMetadataTags", "disabled"),
    ("alicloud:ecs/instance:Instance", "internetChargeType", "PayByTraffic"),
    ("alicloud:ecs/instance:Instance", "internetMaxBandwidthOut", 0),
    ("alicloud:ecs/instance:Instance", "securityEnhancementStrategy", "Active"),
    ("alicloud:ecs/instance:Instance", "deletionProtection", False),
    ("alicloud:dns/alidnsRecord:AlidnsRecord", "type", "A"),
    ("alicloud:ecs/eipAddress:EipAddress", "paymentType", "PayAsYouGo"),
    ("alicloud:ecs/eipAddress:EipAddress", "internetChargeType", "PayByTraffic"),
    ("alicloud:ecs/eipAddress:EipAddress", "bandwidth", "100"),
    ("alicloud:ecs/eipAddress:EipAddress", "isp", "BGP"),
    ("alicloud:ecs/eipAddress:EipAddress", "netmode", "public"),
    ("alicloud:ecs/eipAddress:EipAddress", "deletionProtection", False),
    ("alicloud:ecs/eipAssociation:EipAssociation", "instanceType", "EcsInstance"),
    ("alicloud:ecs/ecsDisk:EcsDisk", "category", "cloud_essd"),
    ("alicloud:ecs/ecsDisk:EcsDisk", "performanceLevel", "PL1"),
    ("alicloud:ecs/ecsDisk:EcsDisk", "encrypted", True),
    ("alicloud:ecs/ecsDisk:EcsDisk", "paymentType", "PayAsYouGo"),
    ("alicloud:ecs/ecsDisk:EcsDisk", "deleteWithInstance", False),
    ("alicloud:ecs/ecsDisk:EcsDisk", "deleteAutoSnapshot", True),
    ("alicloud:ecs/ecsDisk:EcsDisk", "type", "online"),
    ("alicloud:ecs/ecsDiskAttachment:EcsDiskAttachment", "deleteWithInstance", False),
)

ALIYUN_SPOT: tuple[Row, ...] = (
    ("alicloud:ecs/instance:Instance", "instanceChargeType", "PostPaid"),
    ("alicloud:ecs/instance:Instance", "spotStrategy", "SpotAsPriceGo"),
    ("alicloud:ecs/instance:Instance", "spotInterruptionBehavior", "Terminate"),
)

MACHINE = "tencentcloud:Instance/instance:Instance"
RULES = "tencentcloud:Security/groupRuleSet:GroupRuleSet"

TENCENT: tuple[Row, ...] = (
    ("tencentcloud:Vpc/instance:Instance", "isMulticast", False),
    ("tencentcloud:Subnet/instance:Instance", "isMulticast", False),
    ("tencentcloud:Security/group:Group", "description", "Machines of pulumi-llm"),
    *((RULES, f"ingresses.{each}.action", "ACCEPT") for each in range(3)),
    *((RULES, f"ingresses.{each}.protocol", "TCP") for each in range(3)),
    (RULES, "ingresses.-1.action", "DROP"),
    (RULES, "ingresses.-1.protocol", "ALL"),
    (RULES, "ingresses.-1.port", "ALL"),
    (RULES, "ingresses.-1.cidrBlock", "0.0.0.0/0"),
    (RULES, "ingresses.-1.description", "Nothing else in"),
    (RULES, "egresses.0.action", "ACCEPT"),
    (RULES, "egresses.0.protocol", "ALL"),
    (RULES, "egresses.0.port", "ALL"),
    (RULES, "egresses.0.cidrBlock", "0.0.0.0/0"),
    (RULES, "egresses.0.description", "Everything out"),
    (MACHINE, "instanceChargeType", "POSTPAID_BY_HOUR"),
    (MACHINE, "spotInstanceType", None),
    (MACHINE, "spotMaxPrice", None),
    (MACHINE, "stoppedMode", None),
    (MACHINE, "stopType", "SOFT_FIRST"),
    (MACHINE, "runningFlag", True),
    (MACHINE, "systemDiskType", "CLOUD_BSSD"),
    (MACHINE, "systemDiskResizeOnline", True),
    (MACHINE, "allocatePublicIp", False),
    (MACHINE, "disableSecurityService", False),
    (MACHINE, "disableMonitorService", False),
    (MACHINE, "disableAutomationService", False),
    (MACHINE, "disableApiTermination", False),
    (MACHINE, "userDataReplaceOnChange", False),
    (MACHINE, "userData", None),
    (MACHINE, "password", None),
    # It cannot stand beside a key.
    (MACHINE, "keepImageLogin", None),
    ("tencentcloud:Dnspod/record:Record", "recordType", "A"),
    ("tencentcloud:Dnspod/record:Record", "recordLine", "默认"),
    ("tencentcloud:Eip/instance:Instance", "type", "EIP"),
    ("tencentcloud:Eip/instance:Instance", "internetChargeType", "TRAFFIC_POSTPAID_BY_HOUR"),
    ("tencentcloud:Eip/instance:Instance", "internetMaxBandwidthOut", 100),
    ("tencentcloud:Cbs/storage:Storage", "storageType", "CLOUD_BSSD"),
    ("tencentcloud:Cbs/storage:Storage", "encrypt", True),
    ("tencentcloud:Cbs/storage:Storage", "chargeType", "POSTPAID_BY_HOUR"),
    ("tencentcloud:Cbs/storage:Storage", "forceDelete", True),
)

TENCENT_SPOT: tuple[Row, ...] = (
    (MACHINE, "instanceChargeType", "SPOTPAID"),
    (MACHINE, "spotInstanceType", "ONE-TIME"),
)


DROPLET, FIREWALL = "digitalocean:index/droplet:Droplet", "digitalocean:index/firewall:Firewall"

DIGITALOCEAN: tuple[Row, ...] = (
    ("digitalocean:index/vpc:Vpc", "description", "Machines of pulumi-llm"),
    ("digitalocean:index/tag:Tag", "name", "llm:project-stack-qwen-firewall-sgp1"),
    (FIREWALL, "tags", ["llm:project-stack-qwen-firewall-sgp1"]),
    (FIREWALL, "dropletIds", None),
    # What a rule does where it is not said: allow (pulumi-digitalocean 4.84.1).
    (FIREWALL, "inboundRules.0.action", None),
    *((FIREWALL, f"inboundRules.{each}.protocol", "tcp") for each in range(2)),
    (FIREWALL, "outboundRules.0.protocol", "tcp"),
    (FIREWALL, "outboundRules.0.portRange", "1-65535"),
    (FIREWALL, "outboundRules.0.destinationAddresses", ["0.0.0.0/0", "::/0"]),
    (FIREWALL, "outboundRules.1.protocol", "udp"),
    (FIREWALL, "outboundRules.1.portRange", "1-65535"),
    (FIREWALL, "outboundRules.2.protocol", "icmp"),
    (DROPLET, "resizeDisk", False),
    (DROPLET, "gracefulShutdown", True),
    (DROPLET, "ipv6", False),
    (DROPLET, "monitoring", False),
    (DROPLET, "dropletAgent", False),
    (DROPLET, "backups", False),
    (DROPLET, "volumeIds", None),
    ("digitalocean:index/dnsRecord:DnsRecord", "type", "A"),
    ("digitalocean:index/volume:Volume", "description", "Machines of pulumi-llm"),
    # A file system of theirs would be none of ours.
    ("digitalocean:index/volume:Volume", "initialFilesystemType", None),
)


GOOGLE = "gcp:compute/"
INSTANCE = f"{GOOGLE}instance:Instance"

GCP: tuple[Row, ...] = (
    (f"{GOOGLE}network:Network", "autoCreateSubnetworks", False),
    (f"{GOOGLE}network:Network", "deleteDefaultRoutesOnCreate", False),
    (f"{GOOGLE}network:Network", "routingMode", "REGIONAL"),
    (f"{GOOGLE}network:Network", "description", "Machines of pulumi-llm"),
    (f"{GOOGLE}subnetwork:Subnetwork", "stackType", "IPV4_ONLY"),
    (f"{GOOGLE}subnetwork:Subnetwork", "description", "Machines of pulumi-llm"),
    (f"{GOOGLE}firewall:Firewall", "direction", "INGRESS"),
    (f"{GOOGLE}firewall:Firewall", "targetTags", ["llm-project-stack-qwen-firewall-us-west1"]),
    (f"{GOOGLE}firewall:Firewall", "allows.0.protocol", "tcp"),
    (INSTANCE, "bootDisk.autoDelete", True),
    (INSTANCE, "bootDisk.initializeParams.type", "pd-balanced"),
    (INSTANCE, "networkInterfaces.0.stackType", "IPV4_ONLY"),
    (INSTANCE, "networkInterfaces.0.accessConfigs.0.networkTier", "PREMIUM"),
    (INSTANCE, "metadata.block-project-ssh-keys", "TRUE"),
    (INSTANCE, "metadata.enable-oslogin", "FALSE"),
    (INSTANCE, "metadata.serial-port-enable", "FALSE"),
    (INSTANCE, "metadataStartupScript", None),
    # Without one, whoever is on the machine has no rights in the project.
    (INSTANCE, "serviceAccount", None),
    (INSTANCE, "scheduling.provisioningModel", "STANDARD"),
    (INSTANCE, "scheduling.preemptible", False),
    (INSTANCE, "scheduling.automaticRestart", True),
    (INSTANCE, "scheduling.onHostMaintenance", "TERMINATE"),
    (INSTANCE, "scheduling.instanceTerminationAction", None),
    (INSTANCE, "desiredStatus", None),
    (INSTANCE, "shieldedInstanceConfig.enableSecureBoot", True),
    (INSTANCE, "shieldedInstanceConfig.enableVtpm", True),
    (INSTANCE, "shieldedInstanceConfig.enableIntegrityMonitoring", True),
    (INSTANCE, "canIpForward", False),
    (INSTANCE, "deletionProtection", False),
    (INSTANCE, "allowStoppingForUpdate", True),
    (f"{GOOGLE}address:Address", "addressType", "EXTERNAL"),
    (f"{GOOGLE}address:Address", "networkTier", "PREMIUM"),
    (f"{GOOGLE}address:Address", "description", "Machines of pulumi-llm"),
    (f"{GOOGLE}disk:Disk", "type", "pd-balanced"),
    (f"{GOOGLE}disk:Disk", "description", "Machines of pulumi-llm"),
    (f"{GOOGLE}attachedDisk:AttachedDisk", "mode", "READ_WRITE"),
    (f"{GOOGLE}attachedDisk:AttachedDisk", "deviceName", "llm-data"),
)

GCP_SPOT: tuple[Row, ...] = (
    (INSTANCE, "scheduling.provisioningModel", "SPOT"),
    (INSTANCE, "scheduling.preemptible", True),
    (INSTANCE, "scheduling.automaticRestart", False),
    # Deleted, it would be gone from under the engine's state.
    (INSTANCE, "scheduling.instanceTerminationAction", "STOP"),
    (INSTANCE, "desiredStatus", "RUNNING"),
)


VOLC_RULE, VOLC_MACHINE = "volcengine:vpc/securityGroupRule:SecurityGroupRule", "volcengine:ecs/instance:Instance"
VOLC_EIP, VOLC_DISK = "volcengine:eip/address:Address", "volcengine:ebs/volume:Volume"

VOLCENGINE: tuple[Row, ...] = (
    ("volcengine:vpc/vpc:Vpc", "enableIpv6", False),
    ("volcengine:vpc/securityGroup:SecurityGroup", "description", "Machines of pulumi-llm"),
    (f"{VOLC_RULE}#in", "direction", "ingress"),
    (f"{VOLC_RULE}#in", "policy", "accept"),
    (f"{VOLC_RULE}#in", "priority", 1),
    (f"{VOLC_RULE}#in", "protocol", "tcp"),
    (f"{VOLC_RULE}#out", "direction", "egress"),
    (f"{VOLC_RULE}#out", "policy", "accept"),
    (f"{VOLC_RULE}#out", "priority", 1),
    (f"{VOLC_RULE}#out", "protocol", "all"),
    (f"{VOLC_RULE}#out", "portStart", -1),
    (f"{VOLC_RULE}#out", "portEnd", -1),
    (f"{VOLC_RULE}#out", "cidrIp", "0.0.0.0/0"),
    (f"{VOLC_RULE}#out", "description", "Everything out"),
    ("volcengine:ecs/keyPair:KeyPair", "description", "Machines of pulumi-llm"),
    # This would write a private key to the disk of whoever runs the program.
    ("volcengine:ecs/keyPair:KeyPair", "keyFile", None),
    (VOLC_MACHINE, "description", "Machines of pulumi-llm"),
    (VOLC_MACHINE, "password", None),
    (VOLC_MACHINE, "keepImageCredential", None),
    (VOLC_MACHINE, "instanceChargeType", "PostPaid"),
    (VOLC_MACHINE, "spotStrategy", "NoSpot"),
    (VOLC_MACHINE, "systemVolumeType", "ESSD_PL0"),
    (VOLC_MACHINE, "securityEnhancementStrategy", "Active"),
    (VOLC_MACHINE, "installRunCommandAgent", False),
    # The address and the data disk outlive the machine.
    (VOLC_MACHINE, "eipId", None),
    (VOLC_MACHINE, "eipAddress", None),
    (VOLC_MACHINE, "dataVolumes", None),
    (VOLC_EIP, "billingType", "PostPaidByTraffic"),
    (VOLC_EIP, "bandwidth", 100),
    (VOLC_EIP, "isp", "BGP"),
    (VOLC_EIP, "description", "Machines of pulumi-llm"),
    ("volcengine:eip/associate:Associate", "instanceType", "EcsInstance"),
    (VOLC_DISK, "kind", "data"),
    (VOLC_DISK, "volumeType", "ESSD_PL0"),
    (VOLC_DISK, "volumeChargeType", "PostPaid"),
    (VOLC_DISK, "description", "Machines of pulumi-llm"),
    (VOLC_DISK, "instanceId", None),
    (VOLC_DISK, "deleteWithInstance", False),
    ("volcengine:ebs/volumeAttach:VolumeAttach", "deleteWithInstance", False),
)

VOLCENGINE_SPOT: tuple[Row, ...] = ((VOLC_MACHINE, "spotStrategy", "SpotAsPriceGo"),)


VULTR_RULE, VULTR_MACHINE = "vultr:index/firewallRule:FirewallRule", "vultr:index/instance:Instance"
VULTR_VOLUME = "vultr:index/blockStorage:BlockStorage"

VULTR: tuple[Row, ...] = (
    ("vultr:index/vpc:Vpc", "description", "Machines of pulumi-llm"),
    ("vultr:index/firewallGroup:FirewallGroup", "description", "Machines of pulumi-llm"),
    (VULTR_RULE, "protocol", "tcp"),
    (VULTR_RULE, "ipType", "v4"),
    # Cloudflare's addresses would be let in by it.
    (VULTR_RULE, "source", None),
    (VULTR_MACHINE, "enableIpv6", False),
    (VULTR_MACHINE, "backups", "disabled"),
    (VULTR_MACHINE, "ddosProtection", False),
    (VULTR_MACHINE, "activationEmail", False),
    (VULTR_MACHINE, "userScheme", "root"),
    (VULTR_MACHINE, "scriptId", None),
    ("vultr:index/reservedIp:ReservedIp", "ipType", "v4"),
    ("vultr:index/reservedIp:ReservedIp", "label", "Machines of pulumi-llm"),
    # An instance takes it at its start.
    ("vultr:index/reservedIp:ReservedIp", "instanceId", None),
    ("vultr:index/dnsRecord:DnsRecord", "type", "A"),
    (VULTR_VOLUME, "blockType", "high_perf"),
    (VULTR_VOLUME, "live", True),
)


AZURE_NETWORK, AZURE_WALL = "azure-native:network:Subnet", "azure-native:network:NetworkSecurityGroup"
AZURE_ADDRESS, AZURE_CARD = "azure-native:network:PublicIPAddress", "azure-native:network:NetworkInterface"
AZURE_DISK, AZURE_MACHINE = "azure-native:compute:Disk", "azure-native:compute:VirtualMachine"

AZURE: tuple[Row, ...] = (
    # Otherwise what has no public address gets out by one of Azure's.
    (AZURE_NETWORK, "defaultOutboundAccess", False),
    *(
        (AZURE_WALL, f"securityRules.{number}.{key}", value)
        for number, name in enumerate(("in-443-203.0.113.0-24", "in-443-198.51.100.7-32", "in-22-203.0.113.0-24"))
        for key, value in {
            "name": name,
            "priority": 100 + number,
            "direction": "Inbound",
            "access": "Allow",
            "protocol": "Tcp",
            "sourcePortRange": "*",
            "destinationAddressPrefix": "*",
        }.items()
    ),
    # By itself a group lets in whatever comes from the same network.
    (AZURE_WALL, "securityRules.-1.name", "closed"),
    (AZURE_WALL, "securityRules.-1.priority", 4096),
    (AZURE_WALL, "securityRules.-1.direction", "Inbound"),
    (AZURE_WALL, "securityRules.-1.access", "Deny"),
    (AZURE_WALL, "securityRules.-1.protocol", "*"),
    (AZURE_WALL, "securityRules.-1.sourcePortRange", "*"),
    (AZURE_WALL, "securityRules.-1.sourceAddressPrefix", "*"),
    (AZURE_WALL, "securityRules.-1.destinationAddressPrefix", "*"),
    (AZURE_WALL, "securityRules.-1.destinationPortRange", "*"),
    (AZURE_WALL, "securityRules.-1.description", "All else"),
    (AZURE_CARD, "ipConfigurations.0.name", "main"),
    (AZURE_CARD, "ipConfigurations.0.primary", True),
    (AZURE_CARD, "ipConfigurations.0.privateIPAllocationMethod", "Dynamic"),
    (AZURE_CARD, "ipConfigurations.0.privateIPAddressVersion", "IPv4"),
    (AZURE_CARD, "enableIPForwarding", False),
    (AZURE_MACHINE, "identity", None),
    (AZURE_MACHINE, "userData", None),
    (AZURE_MACHINE, "zones", None),
    (AZURE_MACHINE, "priority", None),
    (AZURE_MACHINE, "storageProfile.osDisk.createOption", "FromImage"),
    (AZURE_MACHINE, "storageProfile.osDisk.deleteOption", "Delete"),
    (AZURE_MACHINE, "storageProfile.osDisk.caching", "ReadWrite"),
    (AZURE_MACHINE, "storageProfile.osDisk.managedDisk.storageAccountType", "StandardSSD_LRS"),
    (AZURE_MACHINE, "storageProfile.dataDisks.0.lun", 0),
    (AZURE_MACHINE, "storageProfile.dataDisks.0.createOption", "Attach"),
    # The data disk outlives the machine.
    (AZURE_MACHINE, "storageProfile.dataDisks.0.deleteOption", "Detach"),
    (AZURE_MACHINE, "storageProfile.dataDisks.0.caching", "None"),
    (AZURE_MACHINE, "osProfile.adminPassword", None),
    (AZURE_MACHINE, "osProfile.linuxConfiguration.disablePasswordAuthentication", True),
    (AZURE_MACHINE, "osProfile.linuxConfiguration.provisionVMAgent", True),
    (AZURE_MACHINE, "osProfile.linuxConfiguration.ssh.publicKeys.0.path", "/home/ubuntu/.ssh/authorized_keys"),
    (AZURE_MACHINE, "networkProfile.networkInterfaces.0.primary", True),
    (AZURE_MACHINE, "networkProfile.networkInterfaces.0.deleteOption", "Detach"),
    (AZURE_MACHINE, "securityProfile.securityType", "TrustedLaunch"),
    (AZURE_MACHINE, "securityProfile.uefiSettings.secureBootEnabled", True),
    (AZURE_MACHINE, "securityProfile.uefiSettings.vTpmEnabled", True),
    (AZURE_MACHINE, "diagnosticsProfile.bootDiagnostics.enabled", False),
    (AZURE_ADDRESS, "sku.name", "Standard"),
    (AZURE_ADDRESS, "sku.tier", "Regional"),
    (AZURE_ADDRESS, "publicIPAllocationMethod", "Static"),
    (AZURE_ADDRESS, "publicIPAddressVersion", "IPv4"),
    (AZURE_DISK, "sku.name", "StandardSSD_LRS"),
    (AZURE_DISK, "creationData.createOption", "Empty"),
    # Nobody is given a link by which it can be read.
    (AZURE_DISK, "networkAccessPolicy", "DenyAll"),
    (AZURE_DISK, "publicNetworkAccess", "Disabled"),
)


def _over(rows: tuple[Row, ...], others: tuple[Row, ...]) -> tuple[Row, ...]:
    """``rows`` with ``others`` in place of those that speak of the same input, or of the whole that it is part of."""
    said = [(type_, path) for type_, path, _ in others]
    kept = [
        row for row in rows if not any(row[0] == each and f"{path}.".startswith(f"{row[1]}.") for each, path in said)
    ]
    return (*kept, *others)


DEFAULTS = {
    "aliyun": ALIYUN,
    "aws": AWS,
    "azure": AZURE,
    "digitalocean": DIGITALOCEAN,
    "gcp": GCP,
    "tencent": TENCENT,
    "volcengine": VOLCENGINE,
    "vultr": VULTR,
}
SPOT = {
    "aliyun": _over(ALIYUN, ALIYUN_SPOT),
    "aws": _over(AWS, AWS_SPOT),
    "gcp": _over(GCP, GCP_SPOT),
    "volcengine": _over(VOLCENGINE, VOLCENGINE_SPOT),
    "tencent": tuple(row for row in _over(TENCENT, TENCENT_SPOT) if row[1] != "spotMaxPrice"),
}


def broken(recording: Recording, rows: tuple[Row, ...]) -> list[str]:
    """Which of ``rows`` do not hold. A part after ``#`` picks those resources whose name has it as a part."""
    wrong = []
    for type_, path, required in rows:
        type_, _, part = type_.partition("#")
        found = [each for each in recording.of(type_) if not part or f"-{part}" in each.name]
        if not found:
            wrong.append(f"there is no {type_}")
        for each in found:
            value = value_at(each.inputs, path)
            if value != required or type(value) is not type(required):
                wrong.append(f"{each.name}: {path} is {value!r}, not {required!r}")
    return wrong
