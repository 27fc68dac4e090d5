"""Signing in processes of its own: the server asks, they hold the keys in use and make signatures."""
