"""Backups of vector stores, as whoever runs the command sees them: where they are, and how they come and go."""
