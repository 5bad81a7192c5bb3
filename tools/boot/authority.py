"""The certificate authority that the machines' image trusts, and the key that signs their apt archive."""

from __future__ import annotations

import datetime
import shutil
import subprocess
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def make(folder: Path) -> None:
    """``ca.crt``, ``ca.key`` (PEM), ``archive.asc`` and the ``gnupg`` home that signs. Made once, used nowhere else."""
    if (folder / "complete").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "booted machines' authority")])
    now = datetime.datetime.now(datetime.UTC)
    ca = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=30))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(*[False] * 5, True, True, False, False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.crt").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "ca.key").write_bytes(key.private_bytes(*form))
    home = folder / "gnupg"
    home.mkdir(mode=0o700)
    gpg(home, "--quick-generate-key", "booted machines' archive", "rsa3072", "sign", "never")
    (folder / "archive.asc").write_bytes(gpg(home, "--export", "--armor"))
    (folder / "complete").touch()


def gpg(home: Path, *arguments: str | Path, data: bytes = b"") -> bytes:
    """Run gpg with a home of its own; what it wrote."""
    # The agent's socket does not fit into every path: it gets a short one of its own.
    with tempfile.TemporaryDirectory(prefix="gpg") as short:
        link = Path(short) / "h"
        link.symlink_to(home)
        options = ["--homedir", str(link), "--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", ""]
        done = subprocess.run(["gpg", *options, *map(str, arguments)], input=data, capture_output=True, check=False)
        subprocess.run(["gpgconf", "--homedir", str(link), "--kill", "all"], capture_output=True, check=False)
    if done.returncode:
        raise OSError(f"gpg: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
