"""What runs the services in a container without systemd. It is read as a text, and imports nothing of this package."""
