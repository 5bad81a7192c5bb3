"""The gateway: who may ask which model what, how often and for how much; then straight to the upstream, unbuffered.

`python -m llm_gate` serves it on loopback, behind Caddy. `python -m llm_gate.admin` is its keys and its usage report,
and needs nothing but Python itself. Nothing here writes a prompt, an answer, or a key anywhere.
"""
