"""Which old versions may go, what they occupy, and a plan of it."""
