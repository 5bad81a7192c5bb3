"""Roles as folders: what a role.yaml may say, where roles are found, and what a node gets of them."""
