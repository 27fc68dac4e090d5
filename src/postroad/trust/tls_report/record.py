"""The DNS record at ``_smtp._tls.DOMAIN`` that says where TLS reports go (RFC 8460 §3)."""

import re
from collections.abc import Sequence
from urllib.parse import unquote

_VERSION = re.compile(r"v=TLSRPTv1[ \t]*(?:;|$)")
_MAX_PLACES = 5


def parse_rua(records: Sequence[str]) -> tuple[str, ...]:
    """Return the places that a domain's TXT records name, each ``mailto:ADDRESS`` or ``https:…``.

    Empty where there is no record, more than one (RFC 8460 §3: as if there were none) or one that
    names no place. More than a few are left out.
    """
    ours = [text for text in records if _VERSION.match(text)]
    if len(ours) != 1:
        return ()
    for part in ours[0].split(";"):
        key, _, value = part.partition("=")
        if key.strip() == "rua":
            places = [place.strip() for place in value.split(",")]
            return tuple(filter(None, map(_place, places[:_MAX_PLACES])))
    return ()


def _place(uri: str) -> str:
    scheme, _, rest = uri.partition(":")
    if scheme.lower() == "mailto":
        # RFC 6068: what follows the question mark would be header fields of a stranger's choice.
        return f"mailto:{unquote(rest.partition('?')[0])}"
    return uri if scheme.lower() == "https" and uri.isascii() and uri.isprintable() else ""
