"""A fleet's objects in Kubernetes: plain data out of typed code. `resources` alone imports Pulumi's SDK for it."""
