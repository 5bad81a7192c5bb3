"""The gateway as a function: llm-gate's promises as a Worker with a Durable Object for each key."""
