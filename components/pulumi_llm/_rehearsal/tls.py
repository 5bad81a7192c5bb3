"""A certificate for the rehearsal's servers, made anew for each rehearsal and trusted by nobody but its plugins.

Aliyun's provider sends some calls by HTTPS whatever it is told (rules of security groups: ``NewCommonRequest`` with
``Https`` in resource_alicloud_security_group_rule.go, release/v2 at ace5bcf877), so the servers speak both.
"""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

LASTS = datetime.timedelta(days=1)


class Trust(NamedTuple):
    """What the servers show, and the file that a plugin has to trust for it."""

    context: ssl.SSLContext
    file: Path


def made(folder: Path, names: Iterable[str], address: str = "127.0.0.1") -> Trust:
    """A certificate for ``address`` and ``names`` (``*.aliyun.rehearsal.invalid``), written into ``folder``."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pulumi-llm rehearsal")])
    now = datetime.datetime.now(datetime.UTC)
    others = [x509.DNSName(each) for each in names]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - LASTS)
        .not_valid_after(now + LASTS)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address)), *others]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted, private = folder / "trusted.pem", folder / "private.pem"
    trusted.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.touch(mode=0o600)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    private.write_bytes(key.private_bytes(*form))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, private)
    return Trust(context, trusted)
