"""What a use case refuses, in words for the person who asked."""


class Refused(Exception):
    """The request cannot be done; the message says why and what to do instead."""
