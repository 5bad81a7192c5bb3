"""Files for a monitoring of the user's own: what Prometheus scrapes, its alerts, and a board for Grafana."""
