"""The bytes of a message: reading the header, writing trace fields and delivery status notifications.

Pure functions from values to bytes and back; no I/O, no clock.
"""
