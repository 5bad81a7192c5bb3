"""Cloudflare's Workers: a name or a switch wants a script that is there, and a script has all that it imports."""

from __future__ import annotations

import base64
import re

from pulumi_llm._provider_facts.values import Props

from .base import Call, CloudError, Rules

RULES = Rules()

SCRIPT = "cloudflare:index/workersScript:WorkersScript"
DOMAIN = "cloudflare:index/workersCustomDomain:WorkersCustomDomain"
SUBDOMAIN = "cloudflare:index/workersScriptSubdomain:WorkersScriptSubdomain"
IMPORT = re.compile(r'^(?:import|export)\b[^;]*?\bfrom "\./([^"]+)"', re.MULTILINE)


@RULES.on_create(SCRIPT)
@RULES.on_update(SCRIPT)
def _upload(call: Call) -> Props:
    given = call.inputs
    texts = {str(given.get("mainModule")): str(given.get("content") or "")}
    for name, file in (given.get("files") or {}).items():
        texts[name] = base64.b64decode(file.get("contentBase64") or "").decode()
    for name, text in texts.items():
        for imported in IMPORT.findall(text):
            if imported not in texts:
                raise CloudError(
                    _http(f'Uncaught Error: No such module "{imported}".\\n  imported from "{name}"', 10021)
                )
    return {}


@RULES.on_create(DOMAIN, SUBDOMAIN)
def _of_a_script(call: Call) -> Props:
    name, account = call.inputs.get("service") or call.inputs.get("scriptName"), call.inputs["accountId"]
    if not call.store.list(SCRIPT, region=call.region, scriptName=name, accountId=account):
        raise CloudError(_http("This Worker does not exist on your account.", 10007, status="404 Not Found"))
    return {}


def _http(message: str, code: int, status: str = "400 Bad Request") -> str:
    """A refusal as the provider prints what Cloudflare's API answers."""
    return (
        f'failed to make http request: {status} {{"success":false,"errors":[{{"code":{code},"message":"{message}"}}]}}'
    )
