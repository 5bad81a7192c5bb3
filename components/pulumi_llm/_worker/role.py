"""What a Worker's gateway is told: the same that a proxy's machine is."""

from pulumi_llm import catalog
from pulumi_llm._bootstrap import GatewayRole
from pulumi_llm._gateway import key_rows, routes_of, vendor_targets, vendor_upstreams
from pulumi_llm._resolve.parts import prices_of
from pulumi_llm.errors import Refusal
from pulumi_llm.roles.gateway import mistakes
from pulumi_llm.spec import NEAR, WorkerSpec


def gateway(wanted: WorkerSpec) -> GatewayRole:
    """Keys, upstreams and routes of a Worker. Raises Refusal with what its gateway would refuse."""
    country = catalog.load().region(NEAR, wanted.near).country
    role = GatewayRole(
        https_port=443,
        keys=key_rows(wanted.keys),
        upstreams=vendor_upstreams(wanted.upstreams, country),
        routes=routes_of(vendor_targets(wanted.upstreams, prices_of(wanted.upstreams)), wanted.routes),
    )
    found = mistakes(role)
    if found:
        raise Refusal(found)
    return role
