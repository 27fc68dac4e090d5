"""A server's reply: code, enhanced status code and text as one validated value.

RFC 5321 §4.2 and RFC 3463. Code and enhanced code cannot disagree: a 4xx never carries 5.x.x.
"""

import re
from functools import lru_cache

from msgspec import Struct

_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_TEXT_FORBIDDEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")  # LF separates the lines of a reply


class InvalidReply(ValueError):
    """Code, enhanced code and text do not form a reply; the message says which part is wrong."""


class Reply(Struct, frozen=True, array_like=True):
    """An SMTP reply, sent or received.

    `code` is 200 to 599. `enhanced` is an RFC 3463 status code as text (``"2.1.5"``), or ``""`` where
    none was given; its class must agree with the code's first digit. `text` may hold several lines,
    separated by LF, without any other control character.

    Raises `InvalidReply`.
    """

    code: int
    enhanced: str = ""
    text: str = ""

    def __post_init__(self) -> None:
        if not 200 <= self.code <= 599:
            raise InvalidReply(f"reply code {self.code} is not between 200 and 599")
        if self.enhanced and _class_of(self.enhanced) != self.code // 100:
            raise InvalidReply(
                f"code {self.code} and enhanced code {self.enhanced} are of different classes"
            )
        if not self.text.isprintable() and _TEXT_FORBIDDEN.search(self.text):
            raise InvalidReply(f"control character in reply text {self.text!r}")

    @property
    def positive(self) -> bool:
        """2xx: done."""
        return self.code < 300

    @property
    def intermediate(self) -> bool:
        """3xx: go on."""
        return 300 <= self.code < 400

    @property
    def transient(self) -> bool:
        """4xx: try again later."""
        return 400 <= self.code < 500

    @property
    def permanent(self) -> bool:
        """5xx: do not try again."""
        return self.code >= 500

    @property
    def lines(self) -> list[str]:
        """The text, a line each, at least one."""
        return self.text.split("\n")

    def to_bytes(self, *, enhanced: bool = True) -> bytes:
        """Return the reply as it goes over the wire, each line ended by CRLF.

        `enhanced=False` leaves the enhanced code out, as for the greeting and HELO/EHLO (RFC 2034 §4).
        """
        prefix = f"{self.enhanced} " if enhanced and self.enhanced else ""
        lines = self.lines
        last = len(lines) - 1
        return "".join(
            f"{self.code}{' ' if index == last else '-'}{prefix}{line}\r\n"
            for index, line in enumerate(lines)
        ).encode()

    def __str__(self) -> str:
        words = [str(self.code), self.enhanced, " ".join(self.text.split("\n"))]
        return " ".join(word for word in words if word)


@lru_cache(maxsize=1024)
def _class_of(enhanced: str) -> int:
    if not _ENHANCED.fullmatch(enhanced):
        raise InvalidReply(f"{enhanced!r} is not an enhanced status code (RFC 3463)")
    return int(enhanced[0])
