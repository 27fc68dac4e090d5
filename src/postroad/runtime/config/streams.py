"""Settings of streams: the kinds of outgoing mail that are treated each in its own way."""

import re
from enum import Enum
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from postroad.model import DEFAULT_STREAM, Address, InvalidAddress, parse_domain
from postroad.queue import QuietHours, UnknownPolicy, parse_quiet_hours
from postroad.runtime.config.values import OptionalHostname, Seconds, Section, Strings, Switch
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


class StreamKind(Enum):
    """What a stream is for, which sets what is left out in its settings."""

    TRANSACTIONAL = "transactional"
    BROADCAST = "broadcast"
    CUSTOM = "custom"


class StreamSection(Section):
    """Mail of your own users that is to be treated in its own way: one-time codes, receipts,
    newsletters. It is known by the account that logged in or by the sender of the envelope; what fits
    no stream is in the stream `default`, which the other sections describe.
    """

    kind: StreamKind = Field(
        default=StreamKind.CUSTOM,
        description="`transactional` (one-time codes, receipts) keeps a suppression list; `broadcast` "
        "(newsletters) does too, and lets everybody unsubscribe with one click; `custom` does what the "
        "settings say.",
    )
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
    retry_first_seconds: Seconds | None = Field(
        default=None,
        ge=0.01,
        le=86_400,
        description="The wait after a first failure. Left out: `queue.retry_first_seconds`.",
    )
    retry_max_seconds: Seconds | None = Field(
        default=None,
        ge=0.01,
        le=7 * 86_400,
        description="The longest wait between attempts. Left out: `queue.retry_max_seconds`.",
    )
    lifetime_seconds: Seconds | None = Field(
        default=None,
        ge=1,
        le=366 * 86_400,
        description="When a message is given up: a code that is ten minutes late helps nobody. Left "
        "out: `queue.lifetime_seconds`.",
    )
    delay_notice_seconds: Seconds | None = Field(
        default=None,
        ge=0,
        le=366 * 86_400,
        description="When the sender is told of a delay, once; 0: never. Left out: "
        "`queue.delay_notice_seconds`.",
    )
    dkim_domain: OptionalHostname = Field(
        default="",
        description="The domain whose keys sign its mail, which waits (451) where that has none. Left "
        "out: the sender's, where that has keys.",
    )
    suppression: Switch | None = Field(
        default=None,
        description="Keep a list of addresses that get nothing of it any more: those that hard bounce, "
        "complain or unsubscribe, and those of `postroad suppression add`. Left out: kept, but for "
        "`custom` streams.",
    )
    unsubscribe_domain: OptionalHostname = Field(
        default="",
        description="The host name of the page where recipients unsubscribe, which this server serves "
        "(`https://NAME/u/...`). Each recipient gets a copy of a message with an own link, in "
        "List-Unsubscribe (RFC 8058), unless the message brings such a field, and in its text in place "
        "of `https://NAME/u/`. `broadcast` needs it.",
    )
    unsubscribe_address: ReturnPath = Field(
        default="",
        description="An address like `leave@example.org` where recipients may unsubscribe by mail, too; "
        "each gets it with a signed mark. Mail for its domain must come to this server.",
    )
    track_opens: Switch = Field(
        default=False,
        description="Put a picture into HTML that tells when it is shown. Ask your recipients first.",
    )
    track_clicks: Switch = Field(
        default=False,
        description="Let the links in HTML lead over `tracking_domain`, to tell who follows them; those "
        "with the attribute `data-no-track` are left alone. Ask your recipients first.",
    )
    tracking_domain: OptionalHostname = Field(
        default="",
        description="The host name of those links and pictures, which this server serves "
        "(`https://NAME/c/...`); better not one that people log in at.",
    )
    tracking_days: int = Field(
        default=365,
        ge=1,
        le=3650,
        description="How long those links lead on, in days.",
    )
    sources: str = Field(
        default="",
        description="The pool of source addresses (`[sources.NAME]`) that its mail leaves from. Left "
        "out: `delivery.sources`.",
    )
    return_path: ReturnPath = Field(
        default="",
        description="An address like `bounce@example.org` under which its mail is to leave, each "
        "message with a signed mark (`bounce+MARK@example.org`), so that what comes back is noted in "
        "its journey. Mail for its domain must come to this server. Left out: under the sender.",
    )

    quiet_hours: str = Field(
        default="",
        description="Hours of each day in which nothing of it is sent, like `22:00-07:00`: what comes "
        "in then, or is to be tried again, waits until they end.",
    )
    timezone: str = Field(
        default="UTC",
        description="Whose clocks `quiet_hours` are of: a name like `Europe/Berlin`.",
    )

    @property
    def quiet(self) -> QuietHours | None:
        """The quiet hours, None where there are none."""
        return parse_quiet_hours(self.quiet_hours, self.timezone) if self.quiet_hours else None

    @property
    def keeps_list(self) -> bool:
        """Whether it has a suppression list."""
        if self.suppression is None:
            return self.kind is not StreamKind.CUSTOM
        return self.suppression

    @property
    def domains(self) -> frozenset[str]:
        """The domains whose mail may belong to it."""
        return frozenset(each.rpartition("@")[2] for each in (*self.senders, *self.accounts))

    @property
    def writes_links(self) -> bool:
        """Whether recipients get links of their own, and so copies of their own."""
        return bool(self.unsubscribe_domain or self.track_opens or self.track_clicks)

    @model_validator(mode="after")
    def _fits_together(self) -> "StreamSection":
        if self.kind is StreamKind.BROADCAST and not self.unsubscribe_domain:
            raise ValueError(
                'kind = "broadcast" needs unsubscribe_domain, the host name of the page where '
                "recipients unsubscribe"
            )
        if self.unsubscribe_domain and not self.keeps_list:
            raise ValueError(
                "unsubscribe_domain is set and suppression is off: nobody could unsubscribe"
            )
        if self.unsubscribe_address and not self.unsubscribe_domain:
            raise ValueError("unsubscribe_address needs unsubscribe_domain")
        if (self.track_opens or self.track_clicks) and not self.tracking_domain:
            raise ValueError("track_opens and track_clicks need tracking_domain")
        parse_quiet_hours(self.quiet_hours or "00:00-00:01", self.timezone)
        return self


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
        leaving = section.unsubscribe_address.lower()
        if leaving and any(leaving == each.return_path.lower() for each in values.values()):
            raise ValueError(
                f"{section.unsubscribe_address!r} is both an unsubscribe_address and a return_path: "
                "bounces would be taken for the wish to leave"
            )
        for kind in ("senders", "accounts"):
            for address in getattr(section, kind):
                other = taken.setdefault((kind, address), name)
                if other != name:
                    raise ValueError(f"{address!r} is in {kind} of both {other!r} and {name!r}")
    return values


Streams = Annotated[dict[str, StreamSection], AfterValidator(_names)]
