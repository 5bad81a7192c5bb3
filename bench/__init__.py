"""Measurements, side by side in one run, as ratios. Nothing here asserts anything about time."""
