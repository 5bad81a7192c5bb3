"""Further machines that the first one starts for a request."""
