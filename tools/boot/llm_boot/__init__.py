"""Simulated instances that really boot: systemd-nspawn machines in network namespaces, run from the rendered user data.

What lies outside a machine (package indexes, model hubs, registries, vendors' APIs, the metadata address) is stood in
for at the edge of its network; what lies inside is the node's own, but for what needs a GPU. docs/boot-tests.md lists
every stand-in. Nothing reaches a real network.
"""
