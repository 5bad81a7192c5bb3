"""The program that stops a machine by itself, over fake metadata services and clouds on loopback."""
