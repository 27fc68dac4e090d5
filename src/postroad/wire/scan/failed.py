"""A scanner that said nothing that could be understood."""


class ScanFailed(Exception):
    """The scanner's answer is no verdict; the message says what it was."""
