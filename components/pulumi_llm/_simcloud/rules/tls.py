"""The tls package: real keys and certificates, made with the cryptography library."""

from __future__ import annotations

import hashlib
import ipaddress
from datetime import UTC, datetime, timedelta
from typing import Any

from pulumi_llm._provider_facts.values import Props

from .base import Call, CloudError, Rules

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError as missing:
    raise CloudError(
        "the simulated tls package makes real keys and certificates and needs the cryptography library; "
        "try: pip install cryptography"
    ) from missing

RULES = Rules()

KEY = "tls:index/privateKey:PrivateKey"
SELF_SIGNED = "tls:index/selfSignedCert:SelfSignedCert"
REQUEST = "tls:index/certRequest:CertRequest"
SIGNED = "tls:index/locallySignedCert:LocallySignedCert"

CURVES: dict[str, Any] = {"P224": ec.SECP224R1, "P256": ec.SECP256R1, "P384": ec.SECP384R1, "P521": ec.SECP521R1}
SUBJECT = {
    "commonName": NameOID.COMMON_NAME,
    "country": NameOID.COUNTRY_NAME,
    "emailAddress": NameOID.EMAIL_ADDRESS,
    "locality": NameOID.LOCALITY_NAME,
    "organization": NameOID.ORGANIZATION_NAME,
    "organizationalUnit": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "postalCode": NameOID.POSTAL_CODE,
    "province": NameOID.STATE_OR_PROVINCE_NAME,
    "serialNumber": NameOID.SERIAL_NUMBER,
}
USES = {  # allowed_uses that are bits of the key usage extension
    "digital_signature": "digital_signature",
    "content_commitment": "content_commitment",
    "key_encipherment": "key_encipherment",
    "data_encipherment": "data_encipherment",
    "key_agreement": "key_agreement",
    "cert_signing": "key_cert_sign",
    "crl_signing": "crl_sign",
    "encipher_only": "encipher_only",
    "decipher_only": "decipher_only",
}
EXTENDED = {
    "any_extended": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server_auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client_auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code_signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email_protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp_signing": ExtendedKeyUsageOID.OCSP_SIGNING,
}


def _text(raw: bytes) -> str:
    return raw.decode("ascii")


@RULES.on_create(KEY)
def _key(call: Call) -> Props:
    algorithm = call.inputs["algorithm"]
    bits, curve = int(call.inputs.get("rsaBits", 2048)), call.inputs.get("ecdsaCurve", "P224")
    key: Any
    if algorithm == "RSA":
        key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    elif algorithm == "ECDSA":
        key = ec.generate_private_key(CURVES[curve]())
    else:
        key = ed25519.Ed25519PrivateKey.generate()
    traditional = pem.PrivateFormat.PKCS8 if algorithm == "ED25519" else pem.PrivateFormat.TraditionalOpenSSL
    none = pem.NoEncryption()
    outputs: Props = {
        "rsaBits": bits,
        "ecdsaCurve": curve,
        "privateKeyPem": _text(key.private_bytes(pem.Encoding.PEM, traditional, none)),
        "privateKeyPemPkcs8": _text(key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, none)),
        "privateKeyOpenssh": "",
        "publicKeyOpenssh": "",
        "publicKeyFingerprintMd5": "",
        "publicKeyFingerprintSha256": "",
    }
    public = key.public_key()
    outputs["publicKeyPem"] = _text(public.public_bytes(pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo))
    if not (algorithm == "ECDSA" and curve == "P224"):  # which OpenSSH has no name for
        outputs |= _openssh(key, public, none)
    call.id = hashlib.sha1(outputs["publicKeyPem"].encode(), usedforsecurity=False).hexdigest()
    return outputs


def _openssh(key: Any, public: Any, none: pem.NoEncryption) -> Props:
    import base64

    line = _text(public.public_bytes(pem.Encoding.OpenSSH, pem.PublicFormat.OpenSSH))
    blob = base64.b64decode(line.split()[1])
    md5 = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    sha = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return {
        "privateKeyOpenssh": _text(key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.OpenSSH, none)),
        "publicKeyOpenssh": line + "\n",
        "publicKeyFingerprintMd5": ":".join(md5[at : at + 2] for at in range(0, 32, 2)),
        "publicKeyFingerprintSha256": f"SHA256:{sha}",
    }


def _load(text: str, what: str) -> Any:
    try:
        if "OPENSSH PRIVATE KEY" in text:
            return pem.load_ssh_private_key(text.encode(), None)
        return pem.load_pem_private_key(text.encode(), None)
    except Exception as error:
        raise CloudError(f"Failed to parse {what}: failed to decode PEM block: {error}") from None


def _algorithm(key: Any) -> str:
    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        return "RSA"
    return "ECDSA" if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey) else "ED25519"


def _hash(key: Any) -> Any:
    return None if _algorithm(key) == "ED25519" else hashes.SHA256()


def _name(subject: Props | None) -> x509.Name:
    given = subject or {}
    parts = [x509.NameAttribute(oid, str(given[key])) for key, oid in SUBJECT.items() if given.get(key)]
    streets = given.get("streetAddresses") or ()
    return x509.Name([*parts, *(x509.NameAttribute(NameOID.STREET_ADDRESS, each) for each in streets)])


def _alternatives(inputs: Props) -> x509.SubjectAlternativeName | None:
    names: list[x509.GeneralName] = [x509.DNSName(each) for each in inputs.get("dnsNames") or ()]
    for each in inputs.get("ipAddresses") or ():
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(each)))
        except ValueError:
            raise CloudError(f"Failed to parse IP address: {each!r}") from None
    names += [x509.UniformResourceIdentifier(each) for each in inputs.get("uris") or ()]
    return x509.SubjectAlternativeName(names) if names else None


def _certificate(
    call: Call, subject: x509.Name, issuer: x509.Name, public: Any, signer: Any, names: Any, issuer_public: Any
) -> Props:
    given = call.inputs
    start = datetime.now(UTC).replace(microsecond=0)
    end = start + timedelta(hours=int(given["validityPeriodHours"]))
    serial = x509.random_serial_number()
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(end)
    )
    uses = given.get("allowedUses") or ()
    if bits := {bit: use in uses for use, bit in USES.items()}:
        made = made.add_extension(x509.KeyUsage(**bits), critical=True)
    if extended := [oid for use, oid in EXTENDED.items() if use in uses]:
        made = made.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    authority = bool(given.get("isCaCertificate"))
    depth = given.get("maxPathLength", -1)
    length = int(depth) if authority and depth is not None and depth >= 0 else None
    made = made.add_extension(x509.BasicConstraints(ca=authority, path_length=length), critical=True)
    if authority or given.get("setSubjectKeyId"):
        made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    if issuer_public is not None:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_public)
        made = made.add_extension(identifier, critical=False)
    if names is not None:
        made = made.add_extension(names, critical=False)
    signed = made.sign(signer, _hash(signer))
    call.id = str(serial)
    early = timedelta(hours=int(given.get("earlyRenewalHours") or 0))
    return {
        "certPem": _text(signed.public_bytes(pem.Encoding.PEM)),
        "validityStartTime": start.isoformat().replace("+00:00", "Z"),
        "validityEndTime": end.isoformat().replace("+00:00", "Z"),
        "readyForRenewal": datetime.now(UTC) >= end - early,
        "earlyRenewalHours": given.get("earlyRenewalHours", 0),
        "isCaCertificate": authority,
        "setSubjectKeyId": bool(given.get("setSubjectKeyId")),
        "maxPathLength": depth,
    }


@RULES.on_create(SELF_SIGNED)
def _self_signed(call: Call) -> Props:
    text = call.inputs.get("privateKeyPem") or call.inputs.get("privateKeyPemWo")
    if not text:
        raise CloudError("private_key_pem or private_key_pem_wo must be specified")
    key = _load(str(text), "private_key_pem")
    name, public = _name(call.inputs.get("subject")), key.public_key()
    issuer = public if call.inputs.get("setAuthorityKeyId") else None
    outputs = _certificate(call, name, name, public, key, _alternatives(call.inputs), issuer)
    return outputs | {
        "keyAlgorithm": _algorithm(key),
        "setAuthorityKeyId": bool(call.inputs.get("setAuthorityKeyId")),
    }


@RULES.on_create(REQUEST)
def _request(call: Call) -> Props:
    key = _load(str(call.inputs.get("privateKeyPem") or call.inputs.get("privateKeyPemWo")), "private_key_pem")
    made = x509.CertificateSigningRequestBuilder().subject_name(_name(call.inputs.get("subject")))
    if (names := _alternatives(call.inputs)) is not None:
        made = made.add_extension(names, critical=False)
    text = _text(made.sign(key, _hash(key)).public_bytes(pem.Encoding.PEM))
    call.id = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    return {"certRequestPem": text, "keyAlgorithm": _algorithm(key)}


@RULES.on_create(SIGNED)
def _signed(call: Call) -> Props:
    given = call.inputs
    key = _load(str(given.get("caPrivateKeyPem") or given.get("caPrivateKeyPemWo")), "ca_private_key_pem")
    try:
        authority = x509.load_pem_x509_certificate(given["caCertPem"].encode())
        request = x509.load_pem_x509_csr(given["certRequestPem"].encode())
    except ValueError as error:
        raise CloudError(f"Failed to parse the certificate request or the CA certificate: {error}") from None
    if authority.public_key() != key.public_key():
        raise CloudError("x509: provided PrivateKey doesn't match parent's PublicKey")
    try:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = None
    outputs = _certificate(
        call, request.subject, authority.subject, request.public_key(), key, names, authority.public_key()
    )
    return outputs | {"caKeyAlgorithm": _algorithm(key)}
