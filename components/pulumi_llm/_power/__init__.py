"""Stopping and starting the machines of a stack, so that what stands still is not paid for."""
