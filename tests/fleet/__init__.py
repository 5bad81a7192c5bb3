"""What Kubernetes itself decides about a fleet: a real API server, scheduler and controllers; kwok plays the nodes."""
