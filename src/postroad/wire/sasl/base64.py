"""SASL messages on one line, as SMTP (RFC 4954 §4) and POP3 (RFC 5034 §4) carry them."""

from base64 import b64encode
from binascii import a2b_base64

from postroad.wire.sasl.steps import SaslMalformed


def encode_message(message: bytes) -> str:
    """Return a challenge or response in base 64."""
    return b64encode(message).decode()


def encode_initial(message: bytes) -> str:
    """Return an initial response; ``=`` stands for an empty one."""
    return encode_message(message) or "="


def decode_message(text: str | bytes) -> bytes:
    """Return what a client said; ``=`` is an empty initial response. Raises `SaslMalformed`."""
    if text in ("=", b"="):
        return b""
    try:
        return a2b_base64(text, strict_mode=True)
    except ValueError:
        raise SaslMalformed("this is not base 64") from None
