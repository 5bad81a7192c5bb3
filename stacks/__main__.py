"""The program of every shipped stack: one platform, from the stack's configuration."""

from pulumi_llm import stack

stack.run()
