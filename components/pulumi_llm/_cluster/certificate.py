"""A certificate for names inside and outside a cluster, by an authority of the stack's own."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_tls as tls

from pulumi_llm import _host as hosts


def signed(
    name: str, hostnames: Sequence[str], parent: pulumi.Resource
) -> tuple[pulumi.Output[str], pulumi.Output[str], pulumi.Output[str]]:
    """The authority's certificate, the names' own, and its private key, each as PEM. They last as a machine's do."""
    opts = pulumi.ResourceOptions(parent=parent)
    root = tls.PrivateKey(f"{name}-ca-key", algorithm="ECDSA", ecdsa_curve="P256", opts=opts)
    authority = tls.SelfSignedCert(
        f"{name}-ca",
        private_key_pem=root.private_key_pem,
        is_ca_certificate=True,
        validity_period_hours=hosts.CA_HOURS,
        early_renewal_hours=hosts.RENEW_EARLY_HOURS,
        allowed_uses=["cert_signing", "crl_signing", "digital_signature"],
        subject=tls.SelfSignedCertSubjectArgs(common_name=f"{name[:40]} authority", organization="pulumi-llm"),
        set_subject_key_id=True,
        opts=opts,
    )
    own = tls.PrivateKey(f"{name}-tls-key", algorithm="ECDSA", ecdsa_curve="P256", opts=opts)
    request = tls.CertRequest(
        f"{name}-certificate-request",
        private_key_pem=own.private_key_pem,
        dns_names=list(hostnames),
        subject=tls.CertRequestSubjectArgs(common_name=name[:64]),
        opts=opts,
    )
    certificate = tls.LocallySignedCert(
        f"{name}-certificate",
        ca_private_key_pem=root.private_key_pem,
        ca_cert_pem=authority.cert_pem,
        cert_request_pem=request.cert_request_pem,
        validity_period_hours=hosts.CERTIFICATE_HOURS,
        early_renewal_hours=hosts.RENEW_EARLY_HOURS,
        allowed_uses=["digital_signature", "key_encipherment", "server_auth"],
        opts=opts,
    )
    return authority.cert_pem, certificate.cert_pem, own.private_key_pem
