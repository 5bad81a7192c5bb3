"""What is so at this moment, and is not counted up: the gauges of the gateway itself."""

from __future__ import annotations

from llm_gate.content_in_force import ContentInForce
from llm_gate.monitoring import Gauges
from llm_gate.policy import Policy
from llm_gate.replicas import Replicas
from llm_gate.routes import Routes
from llm_gate.store import Store


def now(store: Store, content: ContentInForce, routes: Routes, policy: Policy, replicas: Replicas) -> Gauges:
    """Calls under way, what was filtered, which upstreams are well, and each key's end and budgets."""
    found: Gauges = {}
    for name, count in store.active().items():
        found["llm_gateway_active_requests", (("key", name),)] = count
    for (direction, source, action), count in content.counts.items():
        labels = (("direction", direction), ("source", source), ("action", action))
        found["llm_gateway_content_total", labels] = count
    gone = replicas.gone()
    for (where, model), well in routes.state().items():
        found["llm_gateway_upstream_up", (("upstream", where), ("model", model))] = float(well and where not in gone)
    for rules in policy.rules():
        if rules.expires is not None:
            found["llm_gateway_key_end_timestamp_seconds", (("key", rules.name),)] = rules.expires
        for unit, period, limit, used in store.budgets(rules):
            of = (("key", rules.name), ("unit", unit), ("period", period))
            found["llm_gateway_budget", of] = limit
            found["llm_gateway_budget_used", of] = used
    return found
