"""xtext: how MAIL and RCPT carry any text in a parameter. RFC 3461 §4."""

import re

_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
_TO_ENCODE = re.compile(r"[^!-*,-<>-~]")
_ENCODED = re.compile(r"\+([0-9A-F]{2})")


class InvalidXtext(ValueError):
    """The text is no xtext, or stands for more than printable ASCII."""


def encode_xtext(text: str) -> str:
    """Return `text` (printable ASCII and space) as xtext. Raises `InvalidXtext`."""
    if not (text.isascii() and text.isprintable()):
        raise InvalidXtext(f"{text!r} holds more than printable ASCII")
    return _TO_ENCODE.sub(lambda match: f"+{ord(match[0]):02X}", text)


def decode_xtext(text: str) -> str:
    """Return what the xtext `text` stands for: printable ASCII and space. Raises `InvalidXtext`."""
    if not _XTEXT.fullmatch(text):
        raise InvalidXtext(f"{text!r} is no xtext")
    decoded = _ENCODED.sub(lambda match: chr(int(match[1], 16)), text)
    # RFC 3461 §4.2, §4.4: what is encoded are printable characters, so no CR or LF gets in this way.
    if not (decoded.isascii() and decoded.isprintable()):
        raise InvalidXtext(f"{text!r} stands for more than printable ASCII")
    return decoded
