from __future__ import annotations

from typing import Any

import pytest

from pulumi_llm._provider_facts import table
from pulumi_llm._provider_facts.values import UNKNOWN, secret

from .conftest import Cloud, urn

INSTANCE = "aws:ec2/instance:Instance"
GOOD = {"ami": "ami-1", "instanceType": "g4dn.xlarge"}


def reasons(cloud: Cloud, token: str, **news: Any) -> dict[str, str]:
    return {each.path: each.reason for each in cloud.check(token, **news)}


def test_good_inputs_have_nothing_wrong(aws: Cloud) -> None:
    assert aws.check(INSTANCE, **GOOD) == []


def test_an_unknown_property_is_refused_with_the_nearest_one(aws: Cloud) -> None:
    found = reasons(aws, INSTANCE, **GOOD, instanceTyp="x")
    assert set(found) == {"instanceTyp"}
    assert found["instanceTyp"].startswith("Invalid or unknown key 'instanceTyp'. did you mean 'instanceType'")


def test_an_unknown_nested_property_is_refused(aws: Cloud) -> None:
    found = reasons(aws, INSTANCE, **GOOD, metadataOptions={"httpToken": "required"})
    assert "did you mean 'httpTokens'" in found["metadataOptions.httpToken"]


def test_a_missing_required_property_is_refused(aws: Cloud) -> None:
    found = reasons(aws, "aws:ec2/subnet:Subnet", cidrBlock="10.0.0.0/24")
    assert 'The argument "vpc_id" is required' in found["vpcId"]


def test_a_missing_required_property_of_a_list_element_is_refused(tencentcloud: Cloud) -> None:
    token = "tencentcloud:Security/groupRuleSet:GroupRuleSet"
    found = reasons(tencentcloud, token, securityGroupId="sg-1", ingresses=[{"port": "22"}])
    assert set(found) == {"ingresses[0].action"}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("instanceType", 5, "expected a string, got the number 5"),
        ("monitoring", "yes", "expected a bool, got the string 'yes'"),
        ("ipv6AddressCount", 1.5, "expected a whole number, got the number 1.5"),
        ("ipv6AddressCount", True, "expected a whole number, got the bool True"),
        ("vpcSecurityGroupIds", "sg-1", "expected a list, got the string 'sg-1'"),
        ("tags", ["a"], "expected a map, got a list"),
        ("tags", {"a": 1}, "expected a string, got the number 1"),
        ("rootBlockDevice", [{}], "expected an object, got a list"),
        ("rootBlockDevice", {"volumeSize": "big"}, "expected a whole number, got the string 'big'"),
    ],
)
def test_a_wrong_type_is_refused(aws: Cloud, name: str, value: Any, words: str) -> None:
    found = aws.check(INSTANCE, **{**GOOD, name: value})
    assert [words in each.reason for each in found] == [True]


def test_several_problems_are_reported_at_once(aws: Cloud) -> None:
    found = reasons(aws, INSTANCE, ammi="x", monitoring=3, rootBlockDevice={"size": 3})
    assert set(found) == {"ammi", "monitoring", "rootBlockDevice.size"}


def test_what_is_not_known_yet_is_accepted_anywhere(aws: Cloud) -> None:
    news = {"ami": UNKNOWN, "instanceType": UNKNOWN, "monitoring": UNKNOWN, "tags": {"a": UNKNOWN}, "userData": UNKNOWN}
    assert aws.check(INSTANCE, **news) == []


def test_a_secret_is_judged_by_its_value_and_stays_a_secret(aws: Cloud) -> None:
    assert aws.check(INSTANCE, **GOOD, userData=secret("#cloud-config\n")) == []
    assert set(reasons(aws, INSTANCE, **GOOD, userData=secret("x" * 16385))) == {"userData"}
    inputs, _ = aws.simulator.check(INSTANCE, urn(INSTANCE, "it"), {}, {**GOOD, "userData": secret("x")})
    assert inputs["userData"] == secret("x")


@pytest.mark.parametrize(
    ("token", "news", "path", "words"),
    [
        (INSTANCE, {**GOOD, "rootBlockDevice": {"volumeType": "gp9"}}, "rootBlockDevice.volumeType", "to be one of"),
        (INSTANCE, {**GOOD, "userData": "x" * 16385}, "userData", "in the range (0 - 16384)"),
        (INSTANCE, {**GOOD, "userDataBase64": "%"}, "userDataBase64", "must be base64-encoded"),
        (INSTANCE, {**GOOD, "metadataOptions": {"httpPutResponseHopLimit": 65}}, "", "in the range (1 - 64), got 65"),
        ("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/8"}, "cidrBlock", "between 16 and 28 significant bits"),
        ("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.1/16"}, "cidrBlock", "did you mean '10.0.0.0/16'?"),
        ("aws:ec2/vpc:Vpc", {"cidrBlock": "ten"}, "cidrBlock", "invalid CIDR address"),
        ("alicloud:ecs/instance:Instance", {"instanceType": "gn6i.large", "imageId": "i"}, "instanceType", "^ecs"),
        ("alicloud:ecs/ecsDisk:EcsDisk", {"category": "essd"}, "category", "to be one of"),
        ("tencentcloud:Key/pair:Pair", {"keyName": "my-key"}, "keyName", "does not match"),
        ("tencentcloud:Instance/instance:Instance", {"stoppedMode": "STOP"}, "stoppedMode", "STOP_CHARGING"),
        ("tls:index/privateKey:PrivateKey", {"algorithm": "DSA"}, "algorithm", "to be one of"),
        ("random:index/randomPassword:RandomPassword", {"length": 0}, "length", "at least (1)"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused(
    make_cloud: Any, token: str, news: dict[str, Any], path: str, words: str
) -> None:
    cloud = make_cloud(token.split(":")[0])
    found = [each for each in cloud.check(token, **news) if not path or each.path == path]
    assert any(words in each.reason for each in found), found


def test_inputs_that_exclude_each_other_are_refused(aws: Cloud) -> None:
    found = reasons(aws, INSTANCE, **GOOD, userData="x", userDataBase64="eA==")
    assert "conflicts with user_data_base64" in found["userData"]


def test_exactly_one_source_of_a_security_group_rule_is_needed(aws: Cloud) -> None:
    token = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    given = {"securityGroupId": "sg-1", "ipProtocol": "tcp", "fromPort": 22, "toPort": 22}
    assert aws.check(token, **given, cidrIpv4="10.0.0.0/8") == []
    assert "one of `cidr_ipv4" in aws.check(token, **given)[0].reason
    both = aws.check(token, **given, cidrIpv4="10.0.0.0/8", referencedSecurityGroupId="sg-2")
    assert "only one of" in both[0].reason


def test_an_image_or_a_launch_template_is_needed(aws: Cloud) -> None:
    assert any("at least one of `ami,launch_template`" in each.reason for each in aws.check(INSTANCE))


def test_defaults_are_written_and_named(aws: Cloud) -> None:
    token = "aws:ec2/securityGroup:SecurityGroup"
    inputs, _ = aws.simulator.check(token, urn(token, "rules"), {}, {"vpcId": "vpc-1"}, b"seed")
    assert inputs["description"] == "Managed by Pulumi"
    assert inputs["name"].startswith("rules-")
    assert {"description", "name"} <= set(inputs["__defaults"])


def test_a_default_that_conflicts_with_what_is_given_is_not_written(aws: Cloud) -> None:
    token = "aws:ec2/securityGroup:SecurityGroup"
    inputs, _ = aws.simulator.check(token, urn(token, "rules"), {}, {"vpcId": "vpc-1", "namePrefix": "p"}, b"seed")
    assert "name" not in inputs


def test_an_automatic_name_is_the_same_for_the_same_seed_and_kept_afterwards(aws: Cloud) -> None:
    token = "aws:ec2/keyPair:KeyPair"
    check = aws.simulator.check
    first, _ = check(token, urn(token, "key"), {}, {"publicKey": "k"}, b"one")
    preview, _ = check(token, urn(token, "key"), {}, {"publicKey": "k"}, b"one")
    other, _ = check(token, urn(token, "key"), {}, {"publicKey": "k"}, b"two")
    later, _ = check(token, urn(token, "key"), first, {"publicKey": "k"}, b"two")
    assert first["keyName"] == preview["keyName"] == later["keyName"]
    assert first["keyName"] != other["keyName"]
    assert len(first["keyName"]) == len("key-") + 7


def test_an_automatic_name_that_the_cloud_refuses_is_refused(tencentcloud: Cloud) -> None:
    found = tencentcloud.check("tencentcloud:Vpc/instance:Instance", "n" * 70, cidrBlock="10.0.0.0/16")
    assert [each.path for each in found] == ["name"]


def test_a_default_is_not_held_against_the_program(tencentcloud: Cloud) -> None:
    assert tencentcloud.check("tencentcloud:Security/group:Group", "rules") == []


def test_an_unknown_type_is_refused_with_the_nearest_one(aws: Cloud) -> None:
    found = aws.check("aws:ec2/instanse:Instanse")
    assert "aws:ec2/instance:Instance" in found[0].reason


def test_a_type_without_facts_is_refused_instead_of_guessed(aws: Cloud) -> None:
    assert "aws:rds/cluster:Cluster" not in table.of_package("aws")
    found = aws.check("aws:rds/cluster:Cluster")
    assert "has no facts about aws:rds/cluster:Cluster" in found[0].reason


def test_nulls_are_as_good_as_absent(aws: Cloud) -> None:
    assert aws.check(INSTANCE, **GOOD, userData=None, rootBlockDevice={"volumeType": None}) == []


def test_a_password_shorter_than_its_parts_is_refused(make_cloud: Any) -> None:
    found = make_cloud("random").check("random:index/randomPassword:RandomPassword", length=3, minUpper=2, minLower=2)
    assert "at least sum of" in found[0].reason


def test_an_asset_has_to_be_an_asset(make_cloud: Any) -> None:
    token = "command:remote:CopyToRemote"
    found = make_cloud("command").check(token, connection={"host": "h"}, remotePath="/x", source="text")
    assert "expected an asset or archive" in found[0].reason


def test_a_remote_asset_cannot_be_copied(make_cloud: Any) -> None:
    marked = {"4dabf18193072939515e22adb298388d": "c44067f5952c0a294b673a41bacd8c17"}
    command, token = make_cloud("command"), "command:remote:CopyToRemote"
    given = {"connection": {"host": "h"}, "remotePath": "/x"}
    assert command.check(token, **given, source={**marked, "text": "hello"}) == []
    found = command.check(token, **given, source={**marked, "uri": "https://example.org/x"})
    assert "path-based file asset or a text asset" in found[0].reason


@pytest.mark.parametrize("account", ["aws", "123456789012", "aws-marketplace", ""])
def test_a_policy_of_awss_own_has_an_arn_without_an_accounts_number(aws: Cloud, account: str) -> None:
    role, arn = "aws:iam/rolePolicyAttachment:RolePolicyAttachment", f"arn:aws:iam::{account}:policy/ReadOnlyAccess"
    assert reasons(aws, role, role="r", policyArn=arn) == {}


@pytest.mark.parametrize(("arn", "said"), [("arn:aws:iam::me:policy/x", "account ID"), ("policy/x", "invalid prefix")])
def test_what_is_no_arn_is_refused_with_the_part_that_is_wrong(aws: Cloud, arn: str, said: str) -> None:
    found = reasons(aws, "aws:iam/rolePolicyAttachment:RolePolicyAttachment", role="r", policyArn=arn)
    assert said in found["policyArn"]
