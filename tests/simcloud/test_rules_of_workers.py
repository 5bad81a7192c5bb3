"""What the simulated Cloudflare refuses, in its own words."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from pulumi_llm._simcloud.rules.base import CloudError
from pulumi_llm._simcloud.rules.cloudflare import DOMAIN, SCRIPT, SUBDOMAIN
from pulumi_llm._simcloud.simulator import Simulator, for_package

ACCOUNT = "0" * 32
WORKER: dict[str, Any] = {
    "accountId": ACCOUNT,
    "scriptName": "gate",
    "mainModule": "a.js",
    "content": 'import { b } from "./b.js";\n',
    "files": {
        "b.js": {
            "contentType": "application/javascript+module",
            "contentBase64": base64.b64encode(b"export const b = 1;\n").decode(),
        }
    },
}


def urn(token: str) -> str:
    return f"urn:pulumi:dev::p::{token}::x"


def made(cloud: Simulator, token: str, inputs: dict[str, Any]) -> None:
    found, failures = cloud.check(token, urn(token), {}, inputs)
    assert failures == []
    cloud.create(token, urn(token), found)


@pytest.fixture
def cloud() -> Simulator:
    return for_package("cloudflare")


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        (DOMAIN, {"accountId": ACCOUNT, "hostname": "llm.example.com", "service": "gate"}),
        (SUBDOMAIN, {"accountId": ACCOUNT, "scriptName": "gate", "enabled": False}),
    ],
)
def test_a_name_or_a_switch_wants_a_script_of_the_same_account(
    cloud: Simulator, token: str, inputs: dict[str, Any]
) -> None:
    made(cloud, SCRIPT, {**WORKER, "accountId": "1" * 32})
    with pytest.raises(CloudError, match="does not exist on your account"):
        made(cloud, token, inputs)
    made(cloud, SCRIPT, WORKER)
    made(cloud, token, inputs)


def test_a_module_that_is_imported_and_not_uploaded_is_refused(cloud: Simulator) -> None:
    with pytest.raises(CloudError, match=r'No such module "b.js"'):
        made(cloud, SCRIPT, {**WORKER, "files": {}})


def test_a_binding_of_a_kind_that_there_is_not_is_refused_before_anything_is_asked(cloud: Simulator) -> None:
    bindings = [{"name": "KEY", "type": "secret_txt", "text": "x"}]
    _, failures = cloud.check(SCRIPT, urn(SCRIPT), {}, {**WORKER, "bindings": bindings})
    assert len(failures) == 1
