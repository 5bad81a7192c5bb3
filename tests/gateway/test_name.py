"""A gateway with a name: Caddy as the node has it, and a real authority that signs by ACME (Caddy has one built in)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pulumi_llm._bootstrap import GatewayRole, Route
from pulumi_llm.roles import Authority, caddy
from tests.bootstrap.samples import MINI, OPENAI, proxy_node
from tests.gateway.front import certificate, program

pytestmark = pytest.mark.artefact

AUTHORITY = """{
	admin off
	auto_https disable_redirects
	skip_install_trust
	storage file_system ROOT/authority
}
https://acme.test:9443 {
	tls internal
	acme_server
}
"""
# Both listen in a network of their own, where the names lead to loopback; no port of the machine's is taken.
WORLD = r"""
set -eu
cd "$1"
ip link set lo up
printf '127.0.0.1 localhost acme.test llm.test other.test\n' > hosts
mount --bind hosts /etc/hosts
root=authority/pki/authorities/local/root.crt
ask() { curl --silent --max-time 5 --cacert "$1" --output /dev/null --write-out '%{http_code}' "$2" || true; }
"$CADDY" run --config authority.Caddyfile --adapter caddyfile > authority.log 2>&1 &
until [ -f "$root" ] && [ "$(ask "$root" https://acme.test:9443/acme/local/directory)" = 200 ]; do sleep 0.1; done
SSL_CERT_FILE=$root "$CADDY" run --config node.Caddyfile --adapter caddyfile > node.log 2>&1 &
tries=0
until [ "$(ask "$root" https://llm.test/nothing)" != 000 ] || [ "$tries" = 100 ]; do
  sleep 0.1
  tries=$((tries + 1))
done
echo "name $(ask "$root" https://llm.test/nothing)"
echo "name by our own authority $(ask ca.crt https://llm.test/nothing)"
echo "address by our own authority $(ask ca.crt https://127.0.0.1/nothing)"
echo "address by theirs $(ask "$root" https://127.0.0.1/nothing)"
echo "another name $(ask "$root" https://other.test/nothing)"
echo "port 80 $(ask "$root" http://llm.test/nothing)"
ls kept/certificates/*/llm.test
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a network of its own")
@pytest.mark.parametrize("challenge", ["http", "tls-alpn"])
def test_a_name_has_the_certificate_of_the_authority_and_the_address_has_ours(tmp_path: Path, challenge: str) -> None:
    certificate(tmp_path)
    (tmp_path / "authority.Caddyfile").write_text(AUTHORITY.replace("ROOT", str(tmp_path)))
    role = GatewayRole(https_port=443, upstreams=(OPENAI,), routes=(Route(name="mini", targets=(MINI,)),))
    directory = "https://acme.test:9443/acme/local/directory"
    authority = Authority(directory=directory, email="ops@example.com", challenge=challenge)  # type: ignore[arg-type]
    text = caddy.caddyfile(proxy_node(roles=(role,), domain="llm.test", authority=authority))
    moved = text.replace("/srv/llm/secrets", str(tmp_path)).replace("/srv/llm/caddy", str(tmp_path / "kept"))
    (tmp_path / "node.Caddyfile").write_text(moved)
    done = subprocess.run(
        ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c", WORLD, "bash", str(tmp_path)],
        env={**os.environ, "CADDY": program("caddy"), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    logs = "".join((tmp_path / name).read_text() for name in ("authority.log", "node.log"))
    assert done.returncode == 0, done.stderr + logs[-3000:]
    assert done.stdout.splitlines()[:6] == [
        "name 404",
        "name by our own authority 000",
        "address by our own authority 404",
        "address by theirs 000",
        "another name 000",
        "port 80 000",
    ], logs[-3000:]
    assert {"llm.test.crt", "llm.test.key"} <= set(done.stdout.split())
