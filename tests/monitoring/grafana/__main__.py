"""Fetches them."""

from tests.monitoring.grafana import install

install()
