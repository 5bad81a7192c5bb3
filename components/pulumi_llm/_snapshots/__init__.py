"""Snapshots of data disks: when they are made, what each cloud makes of that, and which there are."""

FILE = "snapshots.json"
"""What is known of a cloud's snapshots, in its folder."""
