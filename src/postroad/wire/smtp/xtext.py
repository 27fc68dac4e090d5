"""xtext: how MAIL and RCPT carry any text in a parameter. RFC 3461 §4."""

import re

_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
_TO_ENCODE = re.compile(r"[^!-*,-<>-~]")
_ENCODED = re.compile(r"\+([0-9A-F]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class InvalidXtext(ValueError):
    """The text is no xtext, or stands for more than printable ASCII."""


def encode_xtext(text: str) -> str:
    """Return `text` (printable ASCII and space) as xtext. Raises `InvalidXtext`."""
    if not (text.isascii() and text.isprintable()):
        raise InvalidXtext(f"{text!r} holds more than printable ASCII")
    return _TO_ENCODE.sub(lambda match: f"+{ord(match[0]):02X}", text)


def decode_xtext(text: str, *, utf8: bool = False) -> str:
    """Return what the xtext `text` stands for: printable ASCII and space, and with `utf8` also the
    octets of UTF-8. Raises `InvalidXtext`.
    """
    if not _XTEXT.fullmatch(text):
        raise InvalidXtext(f"{text!r} is no xtext")
    octets = _ENCODED.sub(lambda match: chr(int(match[1], 16)), text).encode("latin-1")
    try:
        decoded = octets.decode("utf-8" if utf8 else "ascii")
    except UnicodeDecodeError:
        raise InvalidXtext(f"{text!r} stands for no text") from None
    # RFC 3461 §4.2, §4.4: what is encoded are printable characters, so no CR or LF gets in this way.
    if _CONTROL.search(decoded):
        raise InvalidXtext(f"{text!r} stands for more than printable characters")
    return decoded
