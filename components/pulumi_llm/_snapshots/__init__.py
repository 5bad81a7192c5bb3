"""Snapshots of data disks: when they are made, what each cloud makes of that, and which there are."""
