"""The policy pack's program: `pulumi preview --policy-pack policy`. The rules are in pulumi_llm._review.policy."""

from pulumi_llm._review import policy_pack

policy_pack.serve()
