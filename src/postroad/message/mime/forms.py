"""What header fields say, in the forms that readers of mail ask for (RFC 8621 §4.1.2). Never raises."""

import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

from msgspec import Struct

from postroad.message.mime.addresses import NamedAddress, addresses_of
from postroad.message.mime.charsets import decode
from postroad.message.mime.words import decode_words, unfold

MAX_IDS = 200
"""Message ids of one field that are read: the first, and the last ones."""

_ID = re.compile(r"<\s*([^<>\s]{1,990})\s*>")
_COMMENT = re.compile(r"\([^()]*+\)")
_DATE = re.compile(
    r"(?:[A-Za-z]{3,9},?\s+)?(\d{1,2})[\s-]+([A-Za-z]{3})[a-z]*[\s-]+(\d{2,4})\s+"
    r"(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([+-]\d{4}|[A-Za-z]{1,5})?"
)
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
        start=1,
    )
}
_ZONES = {"est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7}
_URL = re.compile(r"<\s*([^<>\s]+)\s*>")


class Group(Struct, frozen=True):
    """Addresses of a group; of those in no group `name` is None."""

    name: str | None
    addresses: tuple[NamedAddress, ...]


def as_raw(value: bytes) -> str:
    """Return the value as it stands there, without the line end that closes the field."""
    return decode(value.removesuffix(b"\n").removesuffix(b"\r")).replace("\x00", "\ufffd")


def as_text(value: bytes) -> str:
    """Return the value for people: unfolded, encoded words decoded, in NFC."""
    return unicodedata.normalize("NFC", decode_words(decode(unfold(value))).strip())


def as_addresses(value: bytes) -> list[NamedAddress]:
    """Return the addresses, those in groups as well."""
    return [each for each in addresses_of(value) if each.address]


def as_groups(value: bytes) -> list[Group]:
    """Return the addresses by groups, in order."""
    found: list[Group] = []
    for each in as_addresses(value):
        name = each.group or None
        if found and found[-1].name == name:
            found[-1] = Group(name, (*found[-1].addresses, each))
        else:
            found.append(Group(name, (each,)))
    return found


def as_message_ids(value: bytes) -> list[str] | None:
    """Return the ids without angle brackets, None where there is none."""
    found = _ID.findall(_COMMENT.sub(" ", decode(unfold(value))))
    if len(found) > MAX_IDS:
        found = [found[0], *found[1 - MAX_IDS :]]
    return found or None


def as_urls(value: bytes) -> list[str] | None:
    """Return what stands in angle brackets (RFC 2369), None where there is nothing."""
    return _URL.findall(_COMMENT.sub(" ", decode(unfold(value)))) or None


def as_date(value: bytes) -> datetime | None:
    """Return the date with its offset (RFC 5322 §3.3, also the older forms), None where it is none."""
    match = _DATE.match(_COMMENT.sub(" ", decode(unfold(value[:200]))).strip())
    if match is None or (month := _MONTHS.get(match[2].lower())) is None:
        return None
    year = int(match[3])
    if len(match[3]) < 4:
        year += 2000 if year < 50 else 1900
    second = min(int(match[6] or 0), 59)  # a leap second is shown as the one before
    try:
        return datetime(
            year, month, int(match[1]), int(match[4]), int(match[5]), second, 0, _zone(match[7])
        )
    except ValueError:
        return None


def _zone(text: str | None) -> timezone:
    if text and text[0] in "+-":
        minutes = int(text[1:3]) * 60 + int(text[3:5])
        if minutes < 24 * 60:
            return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
    if text and text.lower() in _ZONES:
        return timezone(timedelta(hours=_ZONES[text.lower()]))
    return UTC


def date_text(at: datetime) -> str:
    """Return a date as RFC 3339 has it, with its own offset."""
    text = at.isoformat(timespec="seconds")
    return text.replace("+00:00", "Z")
