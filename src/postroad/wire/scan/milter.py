"""The milter protocol, version 6, as the mail server's side speaks it, without I/O.

Each packet is its length (4 octets), a letter, and data. The server tells the milter step by step of
one message; after most steps the milter answers. At the end it may ask for changes before it does. The
protocol has no specification but its libraries: libmilter of Sendmail, and Postfix's client.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum

from msgspec import Struct

from postroad.wire.scan.failed import ScanFailed

VERSION = 6
MAX_PACKET_OCTETS = 1024 * 1024
MAX_CHANGES = 1000
_BODY_OCTETS = 65_535
_MAX_PROGRESS = 10_000

# What a milter may ask us to do. Bytes are sacred: the body is not among it, nor is who gets the mail.
_ADD_HEADERS = 0x01
_CHANGE_HEADERS = 0x10
_QUARANTINE = 0x20
_ACTIONS = _ADD_HEADERS | _CHANGE_HEADERS | _QUARANTINE

# Steps that a milter need not be told of, and steps that it need not answer.
_SKIPPED = {"C": 0x01, "H": 0x02, "M": 0x04, "R": 0x08, "B": 0x10, "L": 0x20, "N": 0x40, "T": 0x200}
_UNANSWERED = {
    "L": 0x80,
    "C": 0x1000,
    "H": 0x2000,
    "M": 0x4000,
    "R": 0x8000,
    "T": 0x10000,
    "N": 0x40000,
    "B": 0x80000,
}
_SKIP = 0x400
_LEADING_SPACE = 0x100000
_FLAGS = sum(_SKIPPED.values()) + sum(_UNANSWERED.values()) + _SKIP + _LEADING_SPACE


class Outcome(Enum):
    """What a milter decides. `GO_ON` is none yet."""

    GO_ON = "c"
    ACCEPT = "a"
    DISCARD = "d"
    REJECT = "r"
    DEFER = "t"
    REPLY = "y"
    FAILED = "f"
    SKIP = "s"


class Told(Struct, frozen=True, kw_only=True):
    """What a milter is told of one message.

    `client` is an IP address, ``""`` where there is none; `name` its name in the DNS, as far as it is
    known. `sender` is without angle brackets, ``""`` for none. `fields` are name and value of each,
    values as they came, without their line end. `macros` are Sendmail's names for further facts.
    """

    client: str
    name: str
    helo: str
    sender: str
    recipients: Sequence[str]
    fields: Sequence[tuple[bytes, bytes]]
    body: Iterable[bytes]
    macros: Sequence[tuple[str, str]] = ()


class Step(Struct, frozen=True):
    """What is to be sent next; `answered`: the milter says something to it."""

    letter: str
    octets: bytes
    answered: bool


class Answer(Struct, frozen=True):
    """What a milter says in the end: with `reply` where it has words of its own, fields to put on top,
    why the message is to be put aside (None: it is not), and what it asked for that is not done.
    """

    outcome: Outcome
    reply: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    quarantine: str | None = None
    not_done: tuple[str, ...] = ()


def packet(letter: str, data: bytes = b"") -> bytes:
    """Return a packet."""
    return struct.pack("!I", len(data) + 1) + letter.encode("ascii") + data


def negotiation() -> bytes:
    """Return what is said first: what we can do."""
    return packet("O", struct.pack("!III", VERSION, _ACTIONS, _FLAGS))


class PacketReader:
    """Takes octets and gives packets."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what came, ``b""`` at the end of the connection. Raises `ScanFailed` for that."""
        if not data:
            raise ScanFailed("it closed the connection")
        self._buffer += data

    def next(self) -> tuple[str, bytes] | None:
        """Return letter and data of the next packet, None where more must come. Raises `ScanFailed`."""
        if len(self._buffer) < 5:
            return None
        length: int = struct.unpack_from("!I", self._buffer)[0]
        if not 0 < length <= MAX_PACKET_OCTETS:
            raise ScanFailed(f"a packet of {length} octets")
        if len(self._buffer) < 4 + length:
            return None
        letter, data = chr(self._buffer[4]), bytes(self._buffer[5 : 4 + length])
        del self._buffer[: 4 + length]
        return letter, data


class Milter:
    """One message told to one milter: send `negotiation`, `agree` on what comes back, then send the
    `steps`; `take` what is answered to each until it says so; `answer` is what came of it.
    """

    def __init__(self) -> None:
        self._flags = 0
        self._outcome = Outcome.GO_ON
        self._reply = ""
        self._headers: list[tuple[str, str]] = []
        self._quarantine: str | None = None
        self._not_done: list[str] = []
        self._packets = 0
        self._skipping = False

    def agree(self, letter: str, data: bytes) -> None:
        """Take the answer to the negotiation. Raises `ScanFailed`."""
        if letter != "O" or len(data) < 12:
            raise ScanFailed(f"it does not negotiate, but says {letter!r}")
        version, actions, self._flags = struct.unpack_from("!III", data)
        if not 2 <= version <= VERSION:
            raise ScanFailed(f"it speaks version {version}")
        if actions & ~_ACTIONS or self._flags & ~_FLAGS:
            raise ScanFailed("it wants what it was not offered")

    def steps(self, told: Told) -> Iterator[Step]:
        """Yield what is to be sent, until the milter has decided."""
        for letter, data in self._story(told):
            if self.decided:
                return
            if letter == "B" and self._skipping:
                continue
            if self._flags & _SKIPPED.get(letter, 0):
                continue
            macros = _macros(letter, told)
            answered = not self._flags & _UNANSWERED.get(letter, 0)
            yield Step(letter, macros + packet(letter, data), answered)

    def take(self, letter: str, data: bytes) -> bool:
        """Take a packet that answers a step; return whether the step is answered.

        Raises `ScanFailed`.
        """
        self._packets += 1
        if self._packets > _MAX_PROGRESS:
            raise ScanFailed("it says too much")
        try:
            outcome = Outcome(letter)
        except ValueError:
            self._change(letter, data)
            return False
        if outcome is Outcome.SKIP:
            self._skipping = True
        else:
            self._outcome = outcome
        if outcome is Outcome.REPLY:
            self._reply = _text(data)
        return True

    @property
    def decided(self) -> bool:
        """Whether nothing more has to be said."""
        return self._outcome is not Outcome.GO_ON

    @property
    def answer(self) -> Answer:
        """What came of it."""
        return Answer(
            self._outcome,
            self._reply,
            tuple(self._headers),
            self._quarantine,
            tuple(self._not_done),
        )

    def _story(self, told: Told) -> Iterator[tuple[str, bytes]]:
        yield "C", _connect(told)
        yield "H", _strings(told.helo)
        yield "M", _strings(f"<{told.sender}>")
        for recipient in told.recipients:
            yield "R", _strings(f"<{recipient}>")
        yield "T", b""
        for name, value in told.fields:
            kept = value if self._flags & _LEADING_SPACE else value.removeprefix(b" ")
            yield "L", name + b"\0" + kept.replace(b"\r\n", b"\n") + b"\0"
        yield "N", b""
        for piece in told.body:
            for start in range(0, len(piece), _BODY_OCTETS):
                yield "B", piece[start : start + _BODY_OCTETS]
        yield "E", b""

    def _change(self, letter: str, data: bytes) -> None:
        if letter == "p":
            return  # it works on it
        if len(self._headers) + len(self._not_done) >= MAX_CHANGES:
            raise ScanFailed(f"it asks for more than {MAX_CHANGES} changes")
        if letter in ("h", "i"):
            name, value = _pair(data[4:] if letter == "i" else data)
            self._headers.append((name, value))
        elif letter == "m":
            name, value = _pair(data[4:])
            self._not_done.append(f"{'change' if value else 'remove'} {name}")
        elif letter == "q":
            self._quarantine = _text(data)
        else:
            raise ScanFailed(f"it says {letter!r}, which it was not offered")


def _connect(told: Told) -> bytes:
    name = (told.name or (f"[{told.client}]" if told.client else "localhost")).encode()
    if not told.client:
        return name + b"\0U"
    family = b"6" if ":" in told.client else b"4"
    # The port is not known here, and no milter we met looks at it.
    return name + b"\0" + family + struct.pack("!H", 0) + told.client.encode() + b"\0"


def _macros(letter: str, told: Told) -> bytes:
    """What Sendmail calls macros: sent before the first step, for all that follow; and names of the
    sender and recipient before theirs.
    """
    found: list[tuple[str, str]] = []
    if letter in ("C", "H", "M", "E"):
        found += told.macros
    if letter == "M":
        found.append(("{mail_addr}", told.sender))
    if not found:
        return b""
    data = b"".join(_strings(name, value) for name, value in found)
    return packet("D", letter.encode("ascii") + data)


def _strings(*texts: str) -> bytes:
    return b"".join(text.replace("\0", "?").encode("utf-8", "replace") + b"\0" for text in texts)


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "replace")


def _pair(data: bytes) -> tuple[str, str]:
    name, end, value = data.partition(b"\0")
    if not end:
        raise ScanFailed("a header field without a value")
    return name.decode("utf-8", "replace"), _text(value)
