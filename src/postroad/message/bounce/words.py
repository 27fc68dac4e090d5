"""What a bounce for people says of one address: the lines around it, without the message returned."""

import re
from collections.abc import Iterable

from postroad.message.parts import Part

MAX_READ_OCTETS = 8_192
MAX_WORDS = 400
MAX_PLACES = 20

# Behind these lines is what was sent, and its words are anybody's.
_RETURNED = re.compile(
    r"^[ \t>]*(?:-{3,}|_{3,}|\*{3,}|={3,}"
    r"|(?:(?:the )?original message|message (?:text|headers?) follow|your message reads|old message"
    r"|returned mail follows|received:|return-path:|this is a copy of))",
    re.IGNORECASE | re.MULTILINE,
)
_FIELD = re.compile(
    r"[ \t>*|]*(?:(?:subject|to|cc|from|sent|date|message-id)[ \t]*:|with subject\b)", re.IGNORECASE
)
_BLANK = re.compile(r"\n[ \t]*\n")
_SPACE = re.compile(r"[ \t\r]+")


def text_for_people(parts: Iterable[Part]) -> str:
    """Return the beginning of the first plain text of a message, lines ended by LF."""
    for part in parts:
        if part.media_type == "text/plain":
            text = part.body[:MAX_READ_OCTETS].decode("utf-8", "replace")
            return text.replace("\r\n", "\n")
    return ""


def words_about(address: str, text: str) -> str:
    """Return what stands in the line of an address and in those below it, up to a blank one; ``""``
    where the address is not there. Fields of the message itself are left out: their words are its own.
    """
    if not address:
        return ""
    lower, wanted = text.lower(), address.lower()
    at = -1
    for _ in range(MAX_PLACES):
        at = lower.find(wanted, at + 1)
        if at < 0:
            return ""
        begin = text.rfind("\n", 0, at) + 1
        if not _FIELD.match(text, begin):
            return _around(text[begin:at][-MAX_WORDS:], text[at + len(address) :])
    return ""


def _around(before: str, behind: str) -> str:
    behind = behind[: MAX_WORDS * 2]
    returned = _RETURNED.search(behind, 1)
    if returned is not None:
        behind = behind[: returned.start()]
    line, _, below = behind.partition("\n")
    below = below.lstrip("\n \t")  # an address may stand alone
    blank = _BLANK.search(below)
    if blank is not None:
        below = below[: blank.start()]
    lines = [f"{before.strip(' <*-|')} {line.strip(' >:;)|')}", *below.split("\n")]
    words = " ".join(_SPACE.sub(" ", each).strip() for each in lines if not _FIELD.match(each))
    return words.strip(" <>:;,.()\"'")[:MAX_WORDS]
