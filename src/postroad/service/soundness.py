"""Whether a header is one at all: what we could not read is refused, and what would become part of our
own fields.
"""

from postroad.message.header import MAX_FIELDS, Header
from postroad.model import Reply

_NUL = Reply(554, "5.6.0", "NUL character in the message header")
_CONTINUES = Reply(554, "5.6.0", "The message header begins with white space")
_TOO_MANY = Reply(552, "5.3.4", f"Message header has more than {MAX_FIELDS} fields")


def refusal_of_header(header: bytes) -> Reply | None:
    """Return the reply that refuses a header section, None for nearly all.

    A first line that begins with white space would continue the field that we put above it (RFC 5322
    §2.2.3). What is behind `MAX_FIELDS` fields nobody here looks at.
    """
    if header[:1] in (b" ", b"\t"):
        return _CONTINUES
    if b"\0" in header:
        return _NUL
    if header.count(b"\n") > MAX_FIELDS and not Header.parse(header).complete:
        return _TOO_MANY
    return None
