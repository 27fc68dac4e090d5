"""xtext: how ENVID and ORCPT carry any text in one SMTP parameter (RFC 3461 §4)."""

import re

_ESCAPE = re.compile(r"\+([0-9A-F]{2})")
_ESCAPES = re.compile(r"(?:\+[89A-F][0-9A-F])+")  # octets beyond ASCII
_UNICODE_ESCAPE = re.compile(r"\\x\{([0-9A-F]{2,6})\}")  # RFC 6533 §3, utf-8-addr-xtext
_NOT_PRINTABLE = re.compile(r"[^ -~]")
_NEEDS_ESCAPE = re.compile(r"[^!-*,-<>-~]")


def encode_xtext(text: str) -> str:
    """Return ASCII `text` as xtext."""
    return _NEEDS_ESCAPE.sub(lambda match: f"+{ord(match[0]):02X}", text)


def decode_xtext(text: str) -> str:
    """Return what the xtext stands for; whatever is not printable ASCII shows as ``?``.

    Tolerant: a ``+`` that starts no escape stays.
    """
    return _NOT_PRINTABLE.sub("?", _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text))


def decode_orcpt(orcpt: str) -> str:
    """Return an ORCPT value as an Original-Recipient field has it: ``"rfc822; user@example.org"``.

    A type ``utf-8`` (RFC 6533 §3) is decoded to Unicode; control characters are left to the caller.
    So is ``rfc822`` with UTF-8 in its xtext, which Postfix writes, and then called ``utf-8``.
    """
    kind, separator, value = orcpt.partition(";")
    if not separator:
        kind, value = "rfc822", orcpt
    kind = _NOT_PRINTABLE.sub("?", kind).strip().lower()
    if kind == "utf-8":
        return f"{kind}; {_UNICODE_ESCAPE.sub(_character, value)}"
    unicode = _ESCAPES.sub(_octets, value) if kind == "rfc822" and value.isascii() else value
    if unicode != value:
        return f"utf-8; {_ESCAPE.sub(lambda match: chr(int(match[1], 16)), unicode)}"
    return f"{kind}; {decode_xtext(value)}"


def _octets(match: re.Match[str]) -> str:
    try:
        return bytes.fromhex(match[0].replace("+", "")).decode()
    except UnicodeDecodeError:
        return match[0]


def _character(match: re.Match[str]) -> str:
    number = int(match[1], 16)
    return chr(number) if number < 0xD800 or 0xDFFF < number <= 0x10FFFF else "?"
