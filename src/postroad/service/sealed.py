"""Values that go out and come back, and that nobody else can have made: a text, when it runs out, and a
code over both. Nothing has to be kept for them, so any node can open them.
"""

import base64
import binascii
import hmac

MAX_LETTERS = 4096
_CODE_OCTETS = 32


class Seal:
    """Seals for one `purpose`; what was sealed for another does not open. `secret` is the store's."""

    def __init__(self, secret: bytes, purpose: str) -> None:
        self._key = hmac.digest(secret, b"sealed\0" + purpose.encode(), "sha256")

    def close(self, data: bytes, expires_at: float) -> str:
        """Return `data` sealed, in letters of base64url; good until `expires_at`, in
        seconds since 1970.
        """
        body = int(expires_at).to_bytes(8, "big") + data
        code = hmac.digest(self._key, body, "sha256")
        return base64.urlsafe_b64encode(code + body).rstrip(b"=").decode()

    def open(self, text: str, now: float) -> bytes | None:
        """Return what was sealed, None where it was not sealed here or has run out."""
        if len(text) > MAX_LETTERS:
            return None
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            return None
        code, body = raw[:_CODE_OCTETS], raw[_CODE_OCTETS:]
        if len(body) < 8 or not hmac.compare_digest(code, hmac.digest(self._key, body, "sha256")):
            return None
        if int.from_bytes(body[:8], "big") <= now:
            return None
        return body[8:]
