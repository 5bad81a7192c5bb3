"""The clouds' own rules: what they refuse at create, update and delete, in their words."""
