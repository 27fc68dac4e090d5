"""Drives the POP3 machine as a server would, with a maildrop in a list, and plays traces."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from postroad.model import Mailbox
from postroad.ports import AtHand, Listing
from postroad.wire.pop3 import (
    Closed,
    Commit,
    Login,
    Opened,
    POP3Server,
    ResponseCode,
    Retrieve,
    ServerConfig,
    ServerEvent,
    StartTls,
)

USER, PASSWORD = "ann@example.test", "open sesame"
MESSAGES = (
    b"Subject: one\r\n\r\nfirst line\r\nsecond line\r\nthird line\r\n",
    b"Subject: two\r\n\r\n.leading dot\r\n..two dots\r\n.\r\nend\r\n",
    b"Subject: three\r\n\r\n",
)


def listing_of(messages: Sequence[bytes]) -> Listing:
    return Listing(
        Mailbox(5, 1, "INBOX", 1700000000),
        array("q", range(11, 11 + len(messages))),
        array("q", map(len, messages)),
    )


def big_listing(count: int) -> Listing:
    return Listing(
        Mailbox(5, 1, "INBOX", 1700000000),
        array("q", range(1, count + 1)),
        array("q", [4096]) * count,
    )


@dataclass
class Driver:
    """Answers events at once, or not at all where `answering` is off."""

    config: ServerConfig
    secure: bool = False
    listing: Listing = field(default_factory=lambda: listing_of(MESSAGES))
    messages: Sequence[bytes] = MESSAGES
    piece: int | None = None
    ahead: int = 0
    plain: bool = False
    commit_fails: bool = False
    in_use: bool = False
    now: float = 0.0
    events: list[ServerEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.machine = POP3Server(self.config, self.now, secure=self.secure)

    def say(self, data: bytes) -> bytes:
        """Feed octets, return everything that is answered."""
        self.machine.receive_data(data, self.now)
        return self.run()

    def run(self) -> bytes:
        said: list[bytes] = []
        while True:
            event = self.machine.next_event()
            if event is not None:
                self.events.append(event)
                self.answer(event)
            elif data := self.machine.bytes_to_send():
                said.append(data)
            else:
                return b"".join(said)

    def log_in(self) -> "Driver":
        assert self.run().startswith(b"+OK")
        self.say(f"USER {USER}\r\n".encode())
        assert self.say(f"PASS {PASSWORD}\r\n".encode()).startswith(b"+OK")
        return self

    def answer(self, event: Any) -> None:
        machine = self.machine
        match event:
            case Opened():
                machine.welcome()
            case Login():
                if self.in_use:
                    machine.refuse("somebody else is here", ResponseCode.IN_USE)
                elif (event.username, event.password) == (USER, PASSWORD):
                    machine.logged_in(self.listing)
                else:
                    machine.refuse("wrong", ResponseCode.AUTH)
            case StartTls():
                machine.start_tls()
            case Retrieve():
                self.retrieve(event)
            case Commit():
                if self.commit_fails:
                    machine.refuse("not removed", ResponseCode.SYS_TEMP)
                else:
                    machine.committed()
            case _:
                assert isinstance(event, Closed)

    def at_hand(self, index: int) -> dict[int, AtHand]:
        """The message at `index`, and `ahead` that follow; each is cut somewhere into its parts."""
        some = list(enumerate(self.messages))[index : index + 1 + self.ahead]
        return {i: (11 + i, data[: i * 7], data[i * 7 :], self.plain) for i, data in some}

    def retrieve(self, event: Retrieve) -> None:
        message = self.messages[event.index]
        if self.piece is None:
            self.machine.supply(self.at_hand(event.index))
            return
        for start in range(0, len(message), self.piece):
            if not self.machine.body(message[start : start + self.piece]):
                break
        self.machine.end_body()


@dataclass
class Trace:
    """A dialogue: what the client says, and what the server must say, in order.

    In the file ``C: `` and ``S: `` begin lines; ``= word`` sets an option, ``! tls`` is a handshake,
    ``! eof`` the end of what the client sends; ``#`` comments.
    """

    options: frozenset[str]
    steps: list[tuple[str, bytes]]

    @classmethod
    def load(cls, path: Path) -> "Trace":
        options: set[str] = set()
        steps: list[tuple[str, bytes]] = []
        for line in path.read_text().splitlines():
            if line.startswith("= "):
                options.add(line[2:])
            elif line.startswith(("C: ", "S: ", "! ")):
                kind, text = line[0], line[3 if line[1] == ":" else 2 :]
                data = text.encode() + (b"" if kind == "!" else b"\r\n")
                if steps and steps[-1][0] == kind != "!":
                    steps[-1] = (kind, steps[-1][1] + data)
                else:
                    steps.append((kind, data))
            else:
                assert not line or line.startswith("#"), f"{path}: {line!r}"
        return cls(frozenset(options), steps)

    def driver(self) -> Driver:
        config = ServerConfig(
            hostname="pop.test",
            starttls="starttls" in self.options,
            auth_without_tls="clear" in self.options,
            max_errors=3 if "few errors" in self.options else 20,
        )
        return Driver(
            config,
            secure="tls" in self.options,
            commit_fails="commit fails" in self.options,
            in_use="in use" in self.options,
        )

    def play(self, driver: Driver, cut: int = 0) -> None:
        """Play it, what the client says being cut in pieces of `cut` octets (0: whole)."""
        heard = driver.run()
        for kind, data in self.steps:
            if kind == "S":
                assert heard.startswith(data), f"expected {data!r}, heard {heard!r}"
                heard = heard[len(data) :]
            elif kind == "C":
                for start in range(0, len(data), cut or len(data)):
                    heard += driver.say(data[start : start + (cut or len(data))])
            elif data == b"tls":
                driver.machine.tls_started(driver.now)
                heard += driver.run()
            else:
                assert data == b"eof"
                driver.machine.receive_eof()
                heard += driver.run()
        assert heard == b""
