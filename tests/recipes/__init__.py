"""The recipes of CONTRIBUTING.md, done in a copy of this checkout, and how the result of each is seen."""
