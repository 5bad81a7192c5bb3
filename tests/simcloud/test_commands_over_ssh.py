"""The command package says that nothing ran, and needs a machine to talk to all the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pulumi_llm._provider_facts.values import UNKNOWN, reveal
from pulumi_llm._simcloud.rules.base import CloudError

from .conftest import Cloud, cloud
from .test_aws import BOUND, EIP, GATEWAY, KEY, PUBLIC_KEY, Net, network

REMOTE, COPY, LOCAL = "command:remote:Command", "command:remote:CopyToRemote", "command:local:Command"


@pytest.fixture
def net(aws: Cloud) -> Net:
    made = network(aws)
    aws.make(GATEWAY, vpcId=made.vpc.id)
    return made


@pytest.fixture
def command(net: Net) -> Cloud:
    return cloud("command", net.aws.store)


def said(outputs: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(reveal(outputs["stdout"]))
    return found


def test_a_command_on_an_instance_says_that_it_was_not_executed(net: Net, command: Cloud) -> None:
    host = net.host(associatePublicIpAddress=True)
    made = command.make(REMOTE, connection={"host": host.outputs["publicIp"]}, create="systemctl start node.target")
    assert said(made.outputs) == {
        "simulated": True,
        "executed": False,
        "phase": "create",
        "host": host.outputs["publicIp"],
        "machine": host.id,
        "note": "simulated: no machine exists, so nothing was executed",
    }
    assert "\n" not in made.outputs["stdout"]


def test_an_address_answers_once_it_is_bound(net: Net, command: Cloud) -> None:
    host, address = net.host(), net.aws.make(EIP, domain="vpc")
    given: dict[str, Any] = {"connection": {"host": address.outputs["publicIp"]}, "create": "true"}
    assert "dial tcp" in command.refuses(REMOTE, **given)
    net.aws.make(BOUND, allocationId=address.id, instanceId=host.id)
    assert said(command.make(REMOTE, **given).outputs)["machine"] == host.id


@pytest.mark.parametrize("token", [REMOTE, COPY])
def test_a_host_that_is_not_there_does_not_answer(command: Cloud, token: str) -> None:
    text = {"4dabf18193072939515e22adb298388d": "c44067f5952c0a294b673a41bacd8c17", "text": "x"}
    more = {"create": "true"} if token == REMOTE else {"remotePath": "/x", "source": text}
    refused = command.refuses(token, connection={"host": "192.0.2.200", "port": 2222, "dialErrorLimit": 3}, **more)
    assert refused == "after 3 failed attempts: dial tcp 192.0.2.200:2222: i/o timeout"


def test_a_private_address_is_reached_through_a_proxy_only(net: Net, command: Cloud) -> None:
    inner, outer = net.host("inner"), net.host("outer", associatePublicIpAddress=True)
    connection = {"host": inner.outputs["privateIp"]}
    assert "i/o timeout" in command.refuses(REMOTE, connection=connection, create="true")
    through = {**connection, "proxy": {"host": outer.outputs["publicIp"]}}
    assert said(command.make(REMOTE, connection=through, create="true").outputs)["machine"] == inner.id


def test_another_change_runs_the_update_command_in_place(net: Net, command: Cloud) -> None:
    host = net.host(associatePublicIpAddress=True)
    connection = {"host": host.outputs["publicIp"]}
    made = command.make(REMOTE, connection=connection, create="a", update="b")
    assert said(command.change(made, connection=connection, create="c", update="b").outputs)["phase"] == "update"
    plain = command.make(REMOTE, "plain", connection=connection, create="a")
    assert said(command.change(plain, connection=connection, create="c").outputs)["phase"] == "create"


def test_a_preview_does_not_know_what_a_command_will_print(command: Cloud) -> None:
    given = {"connection": {"host": UNKNOWN}, "create": "true"}
    assert command.simulator.create(REMOTE, "urn:pulumi:d::p::t::n", given, preview=True)[1]["stdout"] == UNKNOWN


def test_a_delete_command_needs_the_machine_and_no_command_does_not(net: Net, command: Cloud) -> None:
    host = net.host(associatePublicIpAddress=True)
    connection = {"host": host.outputs["publicIp"]}
    with_delete = command.make(REMOTE, "one", connection=connection, create="a", delete="b")
    without = command.make(REMOTE, "two", connection=connection, create="a")
    net.aws.delete(host)
    with pytest.raises(CloudError, match="i/o timeout"):
        command.delete(with_delete)
    command.delete(without)


def test_the_connection_is_a_secret(net: Net, command: Cloud) -> None:
    from pulumi_llm._provider_facts.values import is_secret

    host = net.host(associatePublicIpAddress=True)
    made = command.make(REMOTE, connection={"host": host.outputs["publicIp"]}, create="true")
    assert is_secret(made.outputs["connection"])


def test_a_local_command_is_not_executed_either(command: Cloud) -> None:
    assert said(command.make(LOCAL, create="rm -rf /").outputs)["executed"] is False


@pytest.mark.parametrize("where", ["key pair", "user data"])
def test_only_the_private_key_that_belongs_to_the_machine_opens_it(net: Net, command: Cloud, where: str) -> None:
    tls = cloud("tls", net.aws.store)
    good, bad = (tls.make("tls:index/privateKey:PrivateKey", name, algorithm="ED25519").outputs for name in "ab")
    line = good["publicKeyOpenssh"]
    if where == "key pair":
        key = net.aws.make(KEY, publicKey=line)
        host = net.host(associatePublicIpAddress=True, keyName=key.id)
    else:
        net.aws.make(KEY, keyName="other", publicKey=PUBLIC_KEY)
        text = f"#cloud-config\nssh_authorized_keys: [{line.strip()}]\n"
        host = net.host(associatePublicIpAddress=True, keyName="other", userData=text)
    connection = {"host": host.outputs["publicIp"], "privateKey": reveal(good["privateKeyOpenssh"])}
    assert command.make(REMOTE, connection=connection, create="true").id
    wrong = {**connection, "privateKey": reveal(bad["privateKeyOpenssh"])}
    assert "ssh: unable to authenticate" in command.refuses(REMOTE, "other", connection=wrong, create="true")
