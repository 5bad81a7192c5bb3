"""Ends of certificates: as the state has them, and as a real server shows them over TLS."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from pulumi_llm._commands import _outlook_certificates as certificates
from pulumi_llm._commands._status_ask import Target
from pulumi_llm._plan import state
from pulumi_llm._plan.model import Plan, PlannedResource

TODAY = datetime.now(UTC).date()


def made(
    days: int, issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A certificate that ends in so many days: an authority, or by one for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority" if issuer is None else "node")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name if issuer is None else issuer[0].subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is None:
        uses = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(uses, critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    else:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer[1].public_key())
        builder = builder.add_extension(identifier, critical=False)
    return builder.sign(key if issuer is None else issuer[1], hashes.SHA256()), key


@contextmanager
def served(folder: Path, days: int, authority_days: int = 3000) -> Iterator[Target]:
    """A server on loopback whose certificate ends in so many days, as a target."""
    authority = made(authority_days)
    own, key = made(days, authority)
    (folder / "c.pem").write_bytes(own.public_bytes(Encoding.PEM))
    (folder / "k.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "c.pem", folder / "k.pem")
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        while True:
            try:
                plain, __ = listener.accept()
            except OSError:
                return
            try:
                context.wrap_socket(plain, server_side=True).close()
            except OSError:
                plain.close()

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    address = f"https://127.0.0.1:{listener.getsockname()[1]}"
    yield Target("server", address, "sk-none", authority[0].public_bytes(Encoding.PEM).decode())
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


@pytest.mark.parametrize(("days", "level"), [(40, "soon"), (400, "later")])
def test_a_machine_is_asked_for_its_own_certificate_and_its_authority_is_read(
    tmp_path: Path, days: int, level: str
) -> None:
    with served(tmp_path, days) as target:
        authority, own = certificates.shown_by(target, TODAY)
    assert (authority.days_left(TODAY), authority.level(TODAY)) == (3000, "later")
    assert "authority" in authority.message
    assert (own.days_left(TODAY), own.level(TODAY), own.where) == (days, level, "server")


def test_a_certificate_that_has_ended_is_a_fault(tmp_path: Path) -> None:
    with served(tmp_path, -1) as target:
        *__, own = certificates.shown_by(target, TODAY)
    assert (own.code, own.level(TODAY)) == ("outlook.certificate-ends", "now")
    assert "has ended" in own.message


def test_a_machine_that_does_not_answer_is_not_known_of_and_not_well(tmp_path: Path) -> None:
    with served(tmp_path, 40) as target:
        pass
    authority, own = certificates.shown_by(target, TODAY)
    assert authority.code == "outlook.certificate-ends"
    assert (own.code, own.level(TODAY)) == ("outlook.certificate-not-seen", "note")


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"hours": "06:00-23:00", "started_by": "cloud"}, "none left"),
        ({"hours": "06:00-23:00"}, "started it?"),
        ({}, ""),
    ],
)
def test_of_a_server_that_its_hours_should_have_on_it_says_what_the_status_says(
    tmp_path: Path, inputs: dict[str, Any], said: str
) -> None:
    with served(tmp_path, 40) as target:
        pass
    if "hours" in inputs:  # a zone in which it is day
        day = 7 <= datetime.now(UTC).hour < 22
        inputs = {**inputs, "hours": f"{inputs['hours']} {'UTC' if day else 'Etc/GMT+12'}"}
    machine = PlannedResource("urn:x", "llm:index:ModelServer", "x", parent="", custom=False, inputs=inputs)
    told = {
        "endpoint": f"{target.endpoint}/v1",
        "api_keys": {"default": "sk"},
        "certificate_authority": target.authority,
    }
    *__, own = certificates.of_machines(told, Plan(project="p", stack="s", resources=[machine]), TODAY)
    assert own.code == "outlook.certificate-not-seen"
    assert said in own.hint
    assert own.hint.endswith("`pulumi-llm status` asks in the same way")


def test_a_machine_with_another_authorities_certificate_is_not_believed(tmp_path: Path) -> None:
    with served(tmp_path, 40) as target:
        other = made(500)[0].public_bytes(Encoding.PEM).decode()
        authority, own = certificates.shown_by(Target("server", target.endpoint, "sk-none", other), TODAY)
    assert (authority.days_left(TODAY), own.code) == (500, "outlook.certificate-not-seen")


def test_the_state_tells_the_ends_without_a_machine() -> None:
    def row(kind: str, name: str, end: object) -> dict[str, object]:
        urn = f"urn:pulumi:dev::p::{kind}::{name}"
        outputs = {"validityEndTime": end, "certPem": "-----BEGIN"}
        return {"urn": urn, "type": kind, "custom": True, "id": "1", "inputs": {}, "outputs": outputs}

    rows = [
        row(certificates.AUTHORITY, "llm-server-ca", "2036-11-25T10:00:00Z"),
        row(certificates.CERTIFICATE, "llm-server-certificate", "2028-11-27T23:30:00+02:00"),
        row(certificates.CERTIFICATE, "half-made", None),
    ]
    found = certificates.in_state(state.plan_of({"version": 3, "deployment": {"resources": rows}}, "p", "dev"))
    assert [(each.where, each.day) for each in found] == [
        ("llm-server-ca", date(2036, 11, 25)),
        ("llm-server-certificate", date(2028, 11, 27)),
    ]
