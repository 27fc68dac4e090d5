"""A part of a message, told by offsets into the message's bytes (RFC 2046)."""

from collections.abc import Iterator

from msgspec import Struct

from postroad.message.mime.fields import Parameters

NOTHING = Parameters("", {})


class Part(Struct, frozen=True):
    """`header`, `body` and `end` are offsets: of the first octet of its header, of the first octet of
    its body, and behind the last one. The line end in front of a delimiter belongs to the delimiter
    (RFC 2046 §5.1.1).

    `media_type` is in lower case, and what is meant where none can be read; `parameters` are those of
    Content-Type. `disposition` has ``""``, ``"inline"`` or ``"attachment"`` as its value, mostly.
    `encoding` is the Content-Transfer-Encoding in lower case. `content_id` is without angle brackets.
    `opaque` tells that there may be parts in it which were not looked for: it is over a limit.
    """

    header: int
    body: int
    end: int
    media_type: str = "text/plain"
    parameters: Parameters = NOTHING
    disposition: Parameters = NOTHING
    encoding: str = ""
    content_id: str = ""
    children: tuple["Part", ...] = ()
    opaque: bool = False

    @property
    def filename(self) -> str:
        """The name that the sender gave it, ``""`` where there is none: not safe to be a path."""
        return self.disposition.get("filename") or self.parameters.get("name")

    @property
    def charset(self) -> str:
        """The charset that its text claims to be in."""
        return self.parameters.get("charset")

    @property
    def is_multipart(self) -> bool:
        """Whether it consists of its children."""
        return bool(self.children) and self.media_type.startswith("multipart/")

    @property
    def is_message(self) -> bool:
        """Whether it is a message whose own part is its only child."""
        return bool(self.children) and not self.media_type.startswith("multipart/")

    def walk(self) -> Iterator["Part"]:
        """Yield this part and all below it, in the order in which they lie in the message."""
        waiting = [self]
        while waiting:
            part = waiting.pop()
            yield part
            waiting.extend(reversed(part.children))
