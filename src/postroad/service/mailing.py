"""Mail of which every recipient gets a copy of their own: with a link to unsubscribe, and links and a
picture that tell when they are used, where its stream wants that.

A message is split when it is taken in: each copy is a message with one recipient, its own bytes, its own
signature and its own journey, all in one commit. So what is stored stays what is sent, octet by octet,
at every attempt; nothing has to be found again when a link is followed, since it says what it stands
for. The price is room: copies of all recipients together are bounded by `MailingSettings.max_octets`,
and a message of such a stream is in memory while it is taken in.

Nothing is put into mail of streams that do not ask for it, nor into any mail from outside.
"""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from msgspec import Struct

from postroad.message.header import Header
from postroad.message.newfield import NewField
from postroad.message.tracking import Trackable
from postroad.model import Address, Reply
from postroad.ports import Clock, ContentWriter
from postroad.service.recipients import Accepted
from postroad.trust.link_token import ClickLink, LinkTokens, OpenLink, UnsubscribeLink
from postroad.trust.return_path import ReturnPaths, ReturnTo

ONE_CLICK = "List-Unsubscribe=One-Click"
"""What List-Unsubscribe-Post says, and what mail programs post (RFC 8058 §3.1)."""

_DAY_SECONDS = 86_400.0
_LEAVING = re.compile(r"unsub|opt-?out|abmeld|desinscri|d%C3%A9sinscri|list-manage", re.IGNORECASE)


class StreamLinks(Struct, frozen=True):
    """What the recipients of a stream get: links to `unsubscribe_domain` and mail to marks of
    `unsubscribe_base`; a picture (`opens`) and links (`clicks`) at `tracking_domain`, good for
    `tracking_days`. ``""`` and None stand for nothing of the kind.
    """

    stream: str
    unsubscribe_domain: str = ""
    unsubscribe_base: Address | None = None
    tracking_domain: str = ""
    opens: bool = False
    clicks: bool = False
    tracking_days: int = 365

    @property
    def leave(self) -> str:
        """What stands in a text for the recipient's own link to unsubscribe."""
        return f"https://{self.unsubscribe_domain}/u/" if self.unsubscribe_domain else ""

    @property
    def domains(self) -> tuple[str, ...]:
        """The host names that its links lead to."""
        return tuple(each for each in (self.unsubscribe_domain, self.tracking_domain) if each)


class Mailings:
    """Begins mailings for messages of the streams that have links; those of others are not touched."""

    def __init__(
        self,
        streams: Mapping[str, StreamLinks],
        *,
        tokens: LinkTokens,
        paths: ReturnPaths,
        clock: Clock,
        max_octets: int,
    ) -> None:
        self.streams = streams
        self.tokens = tokens
        self.paths = paths
        self.clock = clock
        self.max_octets = max_octets

    def begin(self, stream: str) -> "Mailing | None":
        """Return what takes a message of a stream; None where it goes as it is."""
        links = self.streams.get(stream)
        return None if links is None else Mailing(self, links)


class Mailing:
    """One message for several. Write its bytes (`size` octets so far), then make the copies."""

    def __init__(self, mailings: Mailings, links: StreamLinks) -> None:
        self._mailings = mailings
        self.links = links
        self._pieces: list[bytes] = []
        self.size = 0
        self._writers: list[ContentWriter] = []
        self._message: Trackable | None = None
        self._brings_own = False

    def write(self, chunk: bytes) -> None:
        """Take bytes of the message. No more are kept than copies may have."""
        self.size += len(chunk)
        if self.size <= self._mailings.max_octets:
            self._pieces.append(bytes(chunk))
        else:
            self._pieces.clear()

    def staged(self, writer: ContentWriter) -> ContentWriter:
        """Return the writer of a copy, which is discarded with the message."""
        self._writers.append(writer)
        return writer

    def discard(self) -> None:
        """Forget the message and its copies."""
        self._pieces.clear()
        for writer in self._writers:
            writer.discard()

    def refusal(self, count: int) -> Reply | None:
        """Return the reply where `count` copies would take too much room: 552 5.3.4."""
        limit = self._mailings.max_octets
        if self.size * count <= limit:
            return None
        text = f"Each recipient gets an own copy, and {count} copies have more than {limit} octets"
        return Reply(552, "5.3.4", f"{text}; send it to fewer at a time")

    def copy(self, message: int, recipient: Address) -> bytes:
        """Return the bytes of the copy that becomes `message`, from its own fields on."""
        links, tokens = self.links, self._mailings.tokens
        written = self._read()
        until = self._mailings.clock.now() + links.tracking_days * _DAY_SECONDS
        base = f"https://{links.tracking_domain}"

        def link(target: str) -> str:
            return base + tokens.make(ClickLink(message, 0, target), until)

        picture = base + tokens.make(OpenLink(message, 0), until) if links.opens else None
        return self._fields(message, recipient) + written.written(
            link if links.clicks else None, picture, self._page(message, recipient)
        )

    def words(self, number: int, count: int, first: str) -> str:
        """Return what the journey of a copy says of it."""
        links, message = self.links, self._read()
        told = []
        if count > 1:
            told.append(f"copy {number} of {count} of a mailing that began with {first}")
        if links.unsubscribe_domain:
            own = "it brings List-Unsubscribe" if self._brings_own else "a link to unsubscribe"
            told.append(f"{own}, another in the text" if message.has_own else own)
        if links.clicks:
            count_links = len(message.targets)
            told.append(f"{count_links} link{'' if count_links == 1 else 's'} tracked")
        if links.opens:
            told.append("a picture tracked" if message.shows_html else "no HTML for a picture")
        return ", ".join(told)

    def _read(self) -> Trackable:
        if self._message is None:
            data = b"".join(self._pieces)
            header = Header.parse(data)
            own = header.get("list-unsubscribe") or ""
            self._brings_own = header.count("list-unsubscribe") > 0
            domains = self.links.domains

            def spares(target: str) -> bool:
                return (
                    target in own or _LEAVING.search(target) is not None or _host(target) in domains
                )

            self._message = Trackable(data, spares, self.links.leave)
        return self._message

    def _page(self, message: int, recipient: Address) -> str | None:
        """Where a recipient unsubscribes."""
        links = self.links
        if not links.unsubscribe_domain:
            return None
        link = UnsubscribeLink(message, links.stream, recipient)
        return f"https://{links.unsubscribe_domain}{self._mailings.tokens.make(link)}"

    def _fields(self, message: int, recipient: Address) -> bytes:
        """RFC 2369 §3.2, RFC 8058 §3.1: both fields are signed with the message."""
        links, mailings = self.links, self._mailings
        if not links.unsubscribe_domain or self._brings_own:
            return b""
        value = f"<{self._page(message, recipient)}>"
        if links.unsubscribe_base is not None:
            to = ReturnTo(message, 0)
            address = mailings.paths.make(links.unsubscribe_base, to, mailings.clock.now())
            value += f",\r\n\t<mailto:{address}?subject=unsubscribe>"
        fields = (
            NewField("List-Unsubscribe", value),
            NewField("List-Unsubscribe-Post", ONE_CLICK),
        )
        return b"".join(field.to_bytes() for field in fields)


def one_each(accepted: Sequence[Accepted]) -> list[Accepted]:
    """Return who gets a copy: every place that the recipients lead to, once."""
    found: dict[Address, Accepted] = {}
    for each in accepted:
        for target in each.targets:
            found.setdefault(target.address, Accepted(each.recipient, (target,), each.quarantined))
    return list(found.values())


def _host(target: str) -> str:
    try:
        return urlsplit(target).hostname or ""
    except ValueError:
        return ""
