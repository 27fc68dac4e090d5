"""Postroad: a complete e-mail system, from the client that sends to the inbox that is read."""
