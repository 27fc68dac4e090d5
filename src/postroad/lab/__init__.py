"""A private internet on loopback, and the pytest plugin built on it."""
