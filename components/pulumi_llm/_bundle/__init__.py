"""What a machine of one's own installs, collected into one folder: docs/bundle.md is the page about it."""
