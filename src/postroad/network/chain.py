"""The certificates that a TLS peer showed, whether or not anybody verified them.

Python names this (`get_unverified_chain`) only from 3.13 on; before that it is a method of the object
beneath. See docs/notes/060-link.md.
"""

import ssl
from typing import Any

_DER = 2  # _ssl.ENCODING_DER


def peer_chain(connection: ssl.SSLObject | ssl.SSLSocket) -> tuple[bytes, ...]:
    """Return the chain in DER, the peer's own certificate first, as it was sent."""
    public = getattr(connection, "get_unverified_chain", None)
    if public is not None:
        return tuple(public())
    beneath: Any = connection._sslobj  # type: ignore[union-attr]
    return tuple(each.public_bytes(_DER) for each in beneath.get_unverified_chain() or ())
