"""Sending an email of an account: who it is from and goes to, what is left out, and how it is taken in;
as it would be from a mail client by submission (RFC 8621 §7.5).
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from postroad.message.header import header_end, split_fields
from postroad.message.mime import addresses_of
from postroad.model import Address, InvalidAddress, Origin, ServerKind, parse_id
from postroad.ports import Email
from postroad.service.jmap.blobs import PIECE_OCTETS, email_blob, find_blob, read_raw
from postroad.service.jmap.desk import Context
from postroad.service.jmap.identity import is_own
from postroad.service.postings import NotTaken, Posting
from postroad.service.wishes import Wishes
from postroad.wire.jmap import SetError
from postroad.wire.jmap.errors import invalid
from postroad.wire.smtp import RemoteProtocolError
from postroad.wire.smtp.hold import (
    hold_too_long,
    read_hold_for,
    read_hold_until,
    refusal_of_hold,
)

MAX_HEADER_OCTETS = 1_048_576


class Sending:
    """One email on its way out."""

    def __init__(self, context: Context, email: Email, envelope: Any) -> None:
        self._context = context
        self._email = email
        self._given = envelope
        self._sender = ""
        self._recipients: list[str] = []
        self._parameters: dict[str, str] = {}
        self.release_at = 0.0

    def envelope_json(self) -> dict[str, Any]:
        """Return the Envelope object (RFC 8621 §7), as it was used."""
        return {
            "mailFrom": {"email": self._sender, "parameters": self._parameters or None},
            "rcptTo": [{"email": each, "parameters": None} for each in self._recipients],
        }

    async def send(self) -> tuple[int, ...]:
        """Send; return the ids of the messages: several where each recipient has a copy. Then
        `release_at` is when it goes, 0 for at once. Raises `SetError`, `StorageError`.
        """
        context = self._context
        blob = await find_blob(context, email_blob(self._email.id))
        if blob is None:
            raise invalid("there is no such email", "emailId")
        most = context.desk.settings.max_message_octets
        if blob.whole_size > most:
            raise SetError("tooLarge", f"a message has at most {most} octets", maxSize=most)
        head = await read_raw(context, blob, 0, min(blob.whole_size, MAX_HEADER_OCTETS))
        end = header_end(head)
        header = head if end < 0 else head[:end]
        fields = _fields(header)
        await self._check_author(fields)
        self._read_envelope(fields)
        if not await is_own(context, self._sender):
            raise SetError("forbiddenMailFrom", f"{self._sender} does not lead to this account")
        pieces = [_without_bcc(header)]
        for start in range(len(header), blob.whole_size, PIECE_OCTETS):
            end = min(start + PIECE_OCTETS, blob.whole_size)
            pieces.append(await read_raw(context, blob, start, end))
        origin = Origin(
            ServerKind.SUBMISSION,
            client=context.client,
            protocol="HTTPS" if context.tls else "HTTP",
            tls=context.tls,
            account=str(context.address),
        )
        return await self._post(b"".join(pieces), origin)

    async def _post(self, data: bytes, origin: Origin) -> tuple[int, ...]:
        sender, recipients = Address.parse(self._sender), self._addresses()
        wishes = Wishes(release_at=self.release_at)
        try:
            taken = await self._context.desk.postings.take(
                Posting(sender, tuple(recipients), data, origin, wishes)
            )
        except NotTaken as refused:
            raise _refusal(refused, self._recipients) from None
        return tuple(map(parse_id, taken.ids))

    async def _check_author(self, fields: Mapping[str, bytes]) -> None:
        authors = addresses_of(fields.get("from", b""))
        if not authors:
            raise SetError("invalidEmail", "it is from nobody", ("from",))
        for each in authors:
            if not await is_own(self._context, each.address):
                raise SetError("forbiddenFrom", f"{each.address} does not lead to this account")

    def _read_envelope(self, fields: Mapping[str, bytes]) -> None:
        given = self._given
        if given is None:
            name = "sender" if "sender" in fields else "from"
            self._sender = addresses_of(fields[name])[0].address
            to = b",".join(fields.get(name, b"").strip() for name in ("to", "cc", "bcc"))
            found = [each.address for each in addresses_of(to) if each.address]
            self._recipients = list(dict.fromkeys(found))
        else:
            ends = _ends_of(given)
            self._sender = ends[0].email
            self._recipients = list(dict.fromkeys(each.email for each in ends[1:]))
            self._parameters = ends[0].parameters
            self.release_at = _released(self._context, self._parameters)
        most = self._context.desk.settings.max_recipients
        if len(self._recipients) > most:
            raise SetError("tooManyRecipients", f"at most {most}", maxRecipients=most)
        if not self._recipients:
            raise SetError("noRecipients", "it goes to nobody")

    def _addresses(self) -> list[Address]:
        found, wrong, words = [], [], ""
        for each in self._recipients:
            try:
                found.append(Address.parse(each))
            except InvalidAddress as error:
                wrong.append(each)
                words = words or str(error)
        if wrong:
            raise SetError("invalidRecipients", words, invalidRecipients=wrong)
        return found


def _refusal(refused: NotTaken, recipients: list[str]) -> SetError:
    """Return what a client is told of what SMTP would have said."""
    _, reply = refused.replies[0]
    wrong = [recipients[place] for place, _ in refused.replies if place >= 0]
    if not reply.permanent:
        return SetError("serverFail", str(reply))
    if wrong:
        return SetError("invalidRecipients", str(reply), invalidRecipients=wrong)
    return SetError("forbiddenToSend", str(reply))


class _End(Struct):
    """One Address object of an envelope."""

    email: str
    parameters: dict[str, str]


def _ends_of(given: Any) -> list[_End]:
    """Return the sender, then the recipients, of an Envelope object."""
    ends: list[_End] = []
    to = given.get("rcptTo") if isinstance(given, dict) else None
    sender = given.get("mailFrom") if isinstance(given, dict) else None
    parts = [sender, *to] if isinstance(to, list) else [None]
    for each in parts:
        email = each.get("email") if isinstance(each, dict) else None
        if not isinstance(each, dict) or not isinstance(email, str):
            raise invalid("an envelope has mailFrom and rcptTo", "envelope")
        ends.append(_End(email, _parameters(each.get("parameters"), _MAIL if not ends else ())))
    return ends


_MAIL = ("HOLDFOR", "HOLDUNTIL")
"""Parameters that may stand with the sender."""


def _parameters(given: Any, known: tuple[str, ...]) -> dict[str, str]:
    """Return parameters, their names in capital letters. Raises `SetError`."""
    found: dict[str, str] = {}
    if given is not None and not isinstance(given, dict):
        raise invalid("parameters are an object", "envelope")
    for name, value in (given or {}).items():
        if name.upper() not in known or name.upper() in found or not isinstance(value, str):
            raise invalid(f"{name[:80]!r} is no parameter that can be used so", "envelope")
        found[name.upper()] = value
    if len(found) > 1:
        raise invalid("HOLDFOR and HOLDUNTIL exclude each other", "envelope")
    return found


def _released(context: Context, parameters: Mapping[str, str]) -> float:
    """Return when a message goes, 0 for at once (RFC 4865). Raises `SetError`."""
    most = context.desk.settings.hold_max_seconds
    now = context.desk.clock.now()
    if not parameters:
        return 0.0
    if not most:
        raise invalid("nothing is held here", "envelope")
    try:
        if "HOLDFOR" in parameters:
            seconds = read_hold_for(parameters["HOLDFOR"])
            until = now + seconds
            refusal = hold_too_long(most) if seconds > most else None
        else:
            until = read_hold_until(parameters["HOLDUNTIL"])
            refusal = refusal_of_hold(until, now, most)
    except RemoteProtocolError as error:
        raise invalid(str(error), "envelope") from None
    if refusal is not None:
        raise invalid(refusal.text, "envelope")
    return until


def _fields(header: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for raw in split_fields(header):
        name, colon, value = raw.partition(b":")
        if colon:
            found.setdefault(name.decode("ascii", "replace").strip().lower(), value)
    return found


def _without_bcc(header: bytes) -> bytes:
    """Return the header, its blank line as well, without Bcc: nobody else is to read it."""
    kept = [
        raw
        for raw in split_fields(header)
        if raw.partition(b":")[0].strip().lower() not in (b"bcc", b"resent-bcc")
    ]
    return b"".join(kept) + (b"\r\n" if header.endswith(b"\r\n\r\n") else b"")
