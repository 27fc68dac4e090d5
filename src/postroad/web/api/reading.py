"""From what a client asks to a posting: addresses, times, limits. What will not do is a `Problem` that
names the field.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from postroad.message.compose import Attachment, Letter, LetterInvalid, Person, compose
from postroad.model import DEFAULT_STREAM, Address, ApiKey, InvalidAddress, Label
from postroad.service.domains import Domains
from postroad.service.postings import NotTaken
from postroad.web.api.shapes import MAX_TAGS, MessageIn, People, PersonIn, Who
from postroad.web.problem import FieldProblem, Problem, invalid
from postroad.web.settings import WebSettings

MAX_LATE_SECONDS = 86_400.0
"""How long ago a moment to send at may be; then it is now."""


def person(field: str, who: Who) -> Person:
    """Return whom a text or an object names. Raises `Problem`."""
    if isinstance(who, PersonIn):
        return Person(address(f"{field}.address", who.address), who.name)
    text = who.strip()
    if not text.endswith(">"):
        return Person(address(field, text))
    name, bracket, inner = text[:-1].rpartition("<")
    name = name.strip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = name[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    elif not bracket or "<" in name or ">" in name:
        raise invalid(field, "is neither an address nor a name with one address in <>")
    return Person(address(field, inner), name)


def address(field: str, text: str) -> Address:
    """Return an address. Raises `Problem`."""
    try:
        return Address.parse(text)
    except InvalidAddress as error:
        raise invalid(field, str(error)) from None


class Hosted:
    """Which domains are of this server; one that is, is not looked up again for a second."""

    def __init__(self, domains: Domains, monotonic: Callable[[], float]) -> None:
        self._domains = domains
        self._monotonic = monotonic
        self._known: dict[str, float] = {}

    async def hosts(self, name: str) -> bool:
        """Whether it is one of ours."""
        now = self._monotonic()
        if now < self._known.get(name, 0.0):
            return True
        if await self._domains.get(name) is None:
            self._known.pop(name, None)
            return False
        if len(self._known) >= 1000:
            self._known.clear()
        self._known[name] = now + 1.0
        return True


def people(field: str, given: People) -> tuple[Person, ...]:
    """Return all of a list, or the one. Raises `Problem`."""
    if isinstance(given, list):
        return tuple([person(f"{field}[{place}]", who) for place, who in enumerate(given)])
    return (person(field, given),)


def letter(given: MessageIn) -> tuple[Letter, list[tuple[str, Address]]]:
    """Return the letter, and all recipients with the fields that they are from. Raises `Problem`."""
    lists = {name: people(name, getattr(given, name)) for name in ("to", "cc", "bcc")}
    recipients = [
        (f"{name}[{place}]" if isinstance(getattr(given, name), list) else name, each.address)
        for name, found in lists.items()
        for place, each in enumerate(found)
    ]
    written = Letter(
        author=person("from", given.from_),
        to=lists["to"],
        cc=lists["cc"],
        reply_to=people("reply_to", given.reply_to),
        subject=given.subject,
        text=given.text,
        html=given.html,
        attachments=tuple(
            [
                Attachment(each.content, each.filename, each.content_type, each.content_id)
                for each in given.attachments
            ]
        )
        if given.attachments
        else (),
        fields=tuple(given.headers.items()),
    )
    if given.text is None and given.html is None and not given.attachments:
        raise invalid("text", "a message needs text, html or attachments")
    return written, recipients


def write(written: Letter, limit: int) -> bytes:
    """Return the bytes of a letter. Raises `Problem`."""
    try:
        data = compose(written)
    except LetterInvalid as error:
        raise invalid(error.field, error.why) from None
    return fitting(data, limit)


def fitting(data: bytes, limit: int) -> bytes:
    """Return the message itself. Raises `Problem` where it is too long."""
    if len(data) > limit:
        raise Problem(413, "too-large", f"the message has {len(data)} octets, more than {limit}")
    return data


def label(
    key: ApiKey, subject: str, tags: Sequence[str], metadata: Sequence[tuple[str, str]]
) -> Label:
    """Return what is kept of it for finding it. Raises `Problem`."""
    if len(tags) > MAX_TAGS:
        raise invalid("tags", f"there are more than {MAX_TAGS}")
    for place, tag in enumerate(tags):
        if not tag.isprintable() or tag != tag.strip() or not 0 < len(tag) <= 64:
            raise invalid(f"tags[{place}]", "is 1 to 64 characters that can be printed")
    for name, value in metadata:
        if not name.isprintable() or "=" in name or not value.isprintable():
            raise invalid(
                f"metadata.{name}"[:80], "is of characters that can be printed, no '=' in the name"
            )
    return Label(key.id, subject, tuple(dict.fromkeys(tags)), tuple(metadata))


async def allowed(field: str, name: str, key: ApiKey, domains: Hosted) -> None:
    """Raises `Problem` where a key may not send in the name of a domain."""
    if key.domains and name not in key.domains:
        raise Problem(
            403,
            "forbidden",
            f"{field}: the key {key.name!r} does not send for {name}",
            errors=[FieldProblem(field, "is of a domain that this key does not send for")],
        )
    if not await domains.hosts(name):
        raise Problem(
            403,
            "forbidden",
            f"{field}: {name} is no domain of this server",
            errors=[FieldProblem(field, "is of no domain of this server")],
        )


def enough(recipients: Sequence[object], limit: int) -> None:
    """Raises `Problem` where there are too many recipients, or none."""
    if not recipients:
        raise invalid("to", "a message needs a recipient, in to, cc or bcc")
    if len(recipients) > limit:
        raise invalid("to", f"there are {len(recipients)} recipients, more than {limit}")


def stream(given: str | None, key: ApiKey, settings: WebSettings) -> str | None:
    """Return the name of a stream as it is kept. Raises `Problem` where there is none of that name, or a
    key has nothing to do with it: a stream signs, keeps a list and has sources of its own.
    """
    if given is None or given == DEFAULT_STREAM:
        return (
            None  # as the rules of the operator say, who may have put the sender on a list's stream
        )
    if given not in settings.streams:
        raise invalid("stream", f"there is no stream {given!r}")
    if key.domains and settings.streams[given].isdisjoint(key.domains):
        raise Problem(
            403,
            "forbidden",
            f"stream: the key {key.name!r} does not send by the stream {given!r}",
            errors=[FieldProblem("stream", "is not for the domains of this key")],
        )
    return given


def times(
    send_at: datetime | None, ttl: int | None, now: float, settings: WebSettings
) -> tuple[float, float]:
    """Return when to send and when to give up, 0 where nothing was said. Raises `Problem`."""
    release_at = 0.0
    if send_at is not None:
        release_at = moment_of(send_at, now, settings)
        if release_at <= now:
            release_at = 0.0
    return release_at, (release_at or now) + ttl if ttl is not None else 0.0


def moment_of(send_at: datetime, now: float, settings: WebSettings) -> float:
    """Return when to send. Raises `Problem` where that is a mistake; what has just gone by is none."""
    at = send_at.timestamp()
    if at > now + settings.max_ahead_seconds:
        raise invalid("send_at", "is more than a year ahead")
    if at < now - MAX_LATE_SECONDS:
        raise invalid("send_at", "is more than a day ago")
    return at


def not_taken(error: NotTaken, fields: Sequence[str]) -> Problem:
    """Return the problem of a refusal: 422 where it is for good, 503 where it may be asked again."""
    lasting = [(place, reply) for place, reply in error.replies if reply.permanent]
    told = lasting or error.replies
    errors = [
        FieldProblem(fields[place] if place >= 0 else "", str(reply)) for place, reply in told
    ]
    words = "; ".join(
        f"{each.field}: {each.detail}" if each.field else each.detail for each in errors
    )
    if lasting:
        return Problem(422, "refused", words, errors=errors)
    return Problem(503, "later", words, errors=errors, headers={"Retry-After": "60"})
