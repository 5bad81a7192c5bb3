"""What runs on a machine that exists. It is read as a text, and imports nothing of this package."""
