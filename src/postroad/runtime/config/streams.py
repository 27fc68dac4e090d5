"""Settings of streams: the kinds of outgoing mail that are treated each in its own way."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from postroad.model import Address, InvalidAddress, parse_domain
from postroad.queue import UnknownPolicy
from postroad.runtime.config.values import Section, Strings, Switch
from postroad.service.streams import DEFAULT_STREAM
from postroad.trust.return_path import MAX_BASE_OCTETS

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


def _addresses(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(_folded, values))


def _folded(text: str) -> str:
    try:
        if text.startswith("@"):
            return f"@{parse_domain(text[1:])}"
        return Address.parse(text).folded
    except InvalidAddress as error:
        raise ValueError(f"{text!r} is neither an address nor '@' and a domain: {error}") from None


Addresses = Annotated[Strings, AfterValidator(_addresses)]


def _return_path(text: str) -> str:
    if not text:
        return ""
    try:
        address = Address.parse(text)
    except InvalidAddress as error:
        raise ValueError(f"{text!r} is no address: {error}") from None
    if len(address.local_part) > MAX_BASE_OCTETS or not address.is_ascii:
        raise ValueError(
            f"{text!r}: the part before the @ must be ASCII and leave room for a mark, so it may have "
            f"{MAX_BASE_OCTETS} letters at most"
        )
    return str(address)


ReturnPath = Annotated[str, AfterValidator(_return_path)]


class StreamSection(Section):
    """Mail of your own users that is to be treated in its own way: one-time codes, receipts,
    newsletters. It is known by the account that logged in or by the sender of the envelope; what fits
    no stream is in the stream `default`, which the other sections describe.
    """

    senders: Addresses = Field(
        default=(),
        description="Senders whose mail belongs to it, each as an address or `@domain`.",
    )
    accounts: Addresses = Field(
        default=(),
        description="Accounts whose mail belongs to it, each as an address or `@domain`; they go "
        "before senders.",
    )
    unknown: UnknownPolicy | None = Field(
        default=None,
        description="What follows when a connection died after the final dot: `retry` may make a "
        "duplicate, `hold` leaves it to an operator. Left out: `queue.unknown`.",
    )
    suppression: Switch = Field(
        default=False,
        description="Keep a list of addresses that get nothing of it any more: those that hard bounce "
        "or complain, and those of `postroad suppression add`.",
    )
    return_path: ReturnPath = Field(
        default="",
        description="An address like `bounce@example.org` under which its mail is to leave, each "
        "message with a signed mark (`bounce+MARK@example.org`), so that what comes back is noted in "
        "its journey. Mail for its domain must come to this server. Left out: under the sender.",
    )


def _names(values: dict[str, StreamSection]) -> dict[str, StreamSection]:
    taken: dict[tuple[str, str], str] = {}
    for name, section in values.items():
        if name == DEFAULT_STREAM:
            raise ValueError(f"{name!r} is the stream of all other mail; set queue.unknown instead")
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} is no name of a stream: these are of a-z, 0-9, '-' and '_', "
                "at most 32 letters"
            )
        if not section.senders and not section.accounts:
            raise ValueError(f"{name!r} has neither senders nor accounts, so no mail is in it")
        for kind in ("senders", "accounts"):
            for address in getattr(section, kind):
                other = taken.setdefault((kind, address), name)
                if other != name:
                    raise ValueError(f"{address!r} is in {kind} of both {other!r} and {name!r}")
    return values


Streams = Annotated[dict[str, StreamSection], AfterValidator(_names)]
