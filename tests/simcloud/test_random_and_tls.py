from __future__ import annotations

import ipaddress
import string
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pulumi_llm._provider_facts.values import is_secret, reveal
from pulumi_llm._simcloud.rules.base import CloudError

from .conftest import Cloud, cloud

PASSWORD, STRING = "random:index/randomPassword:RandomPassword", "random:index/randomString:RandomString"
KEY, SELF = "tls:index/privateKey:PrivateKey", "tls:index/selfSignedCert:SelfSignedCert"
REQUEST, SIGNED = "tls:index/certRequest:CertRequest", "tls:index/locallySignedCert:LocallySignedCert"


@pytest.fixture
def random() -> Cloud:
    return cloud("random")


@pytest.fixture
def tls() -> Cloud:
    return cloud("tls")


def test_a_password_is_random_secret_and_of_the_asked_length(random: Cloud) -> None:
    one, two = random.make(PASSWORD, "a", length=30), random.make(PASSWORD, "b", length=30)
    assert is_secret(one.outputs["result"])
    assert len(reveal(one.outputs["result"])) == 30
    assert reveal(one.outputs["result"]) != reveal(two.outputs["result"])
    assert one.id == "none"


def test_a_password_keeps_to_its_characters(random: Cloud) -> None:
    made = random.make(PASSWORD, length=200, special=False, upper=False)
    assert set(reveal(made.outputs["result"])) <= set(string.ascii_lowercase + string.digits)
    chosen = random.make(PASSWORD, "b", length=40, overrideSpecial="_", upper=False, lower=False, numeric=False)
    assert set(reveal(chosen.outputs["result"])) == {"_"}


def test_a_string_has_at_least_what_was_asked(random: Cloud) -> None:
    text = random.make(STRING, length=12, minUpper=4, minNumeric=4, minSpecial=4).outputs["result"]
    assert sum(each in string.ascii_uppercase for each in text) == 4
    assert sum(each in string.digits for each in text) == 4


def test_other_random_values_have_their_shapes(random: Cloud) -> None:
    found = random.make("random:index/randomId:RandomId", byteLength=4, prefix="p-").outputs
    assert found["hex"].startswith("p-")
    assert len(found["hex"]) == 2 + 8
    assert int(found["dec"].removeprefix("p-")) == int(found["hex"].removeprefix("p-"), 16)
    assert len(random.make("random:index/randomUuid:RandomUuid").outputs["result"]) == 36
    assert 3 <= random.make("random:index/randomInteger:RandomInteger", min=3, max=5).outputs["result"] <= 5
    assert random.make("random:index/randomPet:RandomPet", length=3, prefix="my").id.count("-") == 3
    shuffled = random.make("random:index/randomShuffle:RandomShuffle", inputs=["a", "b"], resultCount=4).outputs
    assert sorted(shuffled["results"]) == ["a", "a", "b", "b"]
    assert is_secret(random.make("random:index/randomBytes:RandomBytes", length=8).outputs["hex"])


@pytest.mark.parametrize(
    ("given", "header"),
    [
        ({"algorithm": "RSA", "rsaBits": 2048}, "RSA PRIVATE KEY"),
        ({"algorithm": "ECDSA", "ecdsaCurve": "P256"}, "EC PRIVATE KEY"),
        ({"algorithm": "ED25519"}, "PRIVATE KEY"),
    ],
)
def test_a_private_key_is_a_real_one_and_its_parts_belong_together(
    tls: Cloud, given: dict[str, Any], header: str
) -> None:
    made = tls.make(KEY, **given)
    text = reveal(made.outputs["privateKeyPem"])
    assert is_secret(made.outputs["privateKeyPem"])
    assert is_secret(made.outputs["privateKeyOpenssh"])
    assert text.startswith(f"-----BEGIN {header}-----")
    public = load_pem_private_key(text.encode(), None).public_key()
    assert public == load_ssh_public_key(made.outputs["publicKeyOpenssh"].encode())
    assert made.outputs["publicKeyFingerprintSha256"].startswith("SHA256:")
    assert made.outputs["publicKeyOpenssh"].endswith("\n")


def test_a_p224_key_has_no_openssh_form(tls: Cloud) -> None:
    assert tls.make(KEY, algorithm="ECDSA").outputs["publicKeyOpenssh"] == ""


def _key(tls: Cloud, name: str) -> str:
    return str(reveal(tls.make(KEY, name, algorithm="ECDSA", ecdsaCurve="P256").outputs["privateKeyPem"]))


def test_an_authority_signs_a_request_and_the_chain_holds(tls: Cloud) -> None:
    root_key, leaf_key = _key(tls, "root"), _key(tls, "leaf")
    root = tls.make(
        SELF,
        privateKeyPem=root_key,
        validityPeriodHours=24,
        isCaCertificate=True,
        allowedUses=["cert_signing", "crl_signing"],
        subject={"commonName": "our authority"},
    )
    names: dict[str, Any] = {"dnsNames": ["gateway.example"], "ipAddresses": ["203.0.113.7"]}
    request = tls.make(REQUEST, privateKeyPem=leaf_key, subject={"commonName": "gateway"}, **names)
    leaf = tls.make(
        SIGNED,
        certRequestPem=request.outputs["certRequestPem"],
        caPrivateKeyPem=root_key,
        caCertPem=root.outputs["certPem"],
        validityPeriodHours=12,
        allowedUses=["server_auth", "digital_signature"],
    )
    authority = x509.load_pem_x509_certificate(root.outputs["certPem"].encode())
    certificate = x509.load_pem_x509_certificate(leaf.outputs["certPem"].encode())
    certificate.verify_directly_issued_by(authority)
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is True
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "gateway"
    given = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert given.get_values_for_type(x509.DNSName) == ["gateway.example"]
    assert given.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("203.0.113.7")]
    uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(hours=12)


def test_a_key_that_is_not_the_authoritys_cannot_sign(tls: Cloud) -> None:
    root_key, other = _key(tls, "root"), _key(tls, "other")
    root = tls.make(SELF, privateKeyPem=root_key, validityPeriodHours=1, isCaCertificate=True, allowedUses=[])
    request = tls.make(REQUEST, privateKeyPem=other)
    refused = tls.refuses(
        SIGNED,
        certRequestPem=request.outputs["certRequestPem"],
        caPrivateKeyPem=other,
        caCertPem=root.outputs["certPem"],
        validityPeriodHours=1,
        allowedUses=[],
    )
    assert "doesn't match parent's PublicKey" in refused


def test_what_is_no_key_is_refused(tls: Cloud) -> None:
    refused = tls.refuses(SELF, privateKeyPem="hello", validityPeriodHours=1, allowedUses=[])
    assert "failed to decode PEM block" in refused


def test_a_certificate_says_whether_it_is_due(tls: Cloud) -> None:
    given: dict[str, Any] = {"privateKeyPem": _key(tls, "k"), "allowedUses": [], "validityPeriodHours": 10}
    assert tls.make(SELF, "a", **given, earlyRenewalHours=5).outputs["readyForRenewal"] is False
    assert tls.make(SELF, "b", **given, earlyRenewalHours=11).outputs["readyForRenewal"] is True


def test_integers_between_nothing_are_refused(random: Cloud) -> None:
    with pytest.raises(CloudError, match="smaller than or equal to maximum"):
        random.make("random:index/randomInteger:RandomInteger", min=5, max=3)
