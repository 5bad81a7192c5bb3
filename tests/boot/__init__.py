"""Nodes that really boot. Where that cannot be done every test here is skipped, and says why."""
