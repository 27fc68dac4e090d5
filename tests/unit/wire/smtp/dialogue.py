"""A driver that answers like a plain mail server, and a road between two machines."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from postroad.model import Address, Envelope, Recipient, Reply
from postroad.wire.sasl import (
    Challenge,
    KeysWanted,
    Mechanism,
    PasswordGiven,
    Proven,
    SaslMalformed,
    ScramServer,
    derive_keys,
    make_server,
)
from postroad.wire.smtp import (
    Auth,
    AuthResponse,
    ClientEvent,
    Closed,
    DataAborted,
    DataBegin,
    DataChunk,
    DataEnd,
    Hello,
    Mail,
    Opened,
    Rcpt,
    Reset,
    ServerConfig,
    ServerEvent,
    SMTPClient,
    SMTPServer,
    StartTls,
    Verify,
)

READY = Reply(220, "", "ready")
GO_ON = Reply(354, "", "Go on")
KEYS = derive_keys("secret", b"salt", 4)


@dataclass
class Received:
    envelope: Envelope
    body: bytes


@dataclass
class Clerk:
    """Answers a server machine's questions. Names in addresses choose the answer:
    local parts ``nobody`` (550), ``later`` (450), ``gone`` (421); sender ``spammer`` (550).
    """

    server: SMTPServer
    greeting: Reply = READY
    data_reply: Reply = GO_ON
    tls: bool = True
    messages: list[Received] = field(default_factory=list)
    events: list[ServerEvent] = field(default_factory=list)
    body: list[bytes] = field(default_factory=list)
    sasl: Mechanism | None = None

    def work(self) -> None:
        while (event := self.server.next_event()) is not None:
            self.events.append(event)
            answer = self._answer(event)
            if answer is not None:
                self.server.reply(answer)

    def _answer(self, event: ServerEvent) -> Reply | None:
        match event:
            case Opened():
                return self.greeting
            case Hello(name=name):
                return Reply(250, "", f"hello {name}")
            case Mail(envelope=envelope):
                sender = envelope.sender
                if sender is not None and sender.local_part == "spammer":
                    return Reply(550, "5.7.1", "Not you")
                return Reply(250, "2.1.0", "Sender OK")
            case Rcpt(recipient=recipient):
                return _verdict(recipient.address)
            case DataBegin():
                self.body = []
                return self.data_reply
            case DataChunk(data=data):
                assert data
                self.body.append(data)
            case DataEnd(octets=octets):
                return self._end(octets)
            case DataAborted() | Reset() | Closed():
                self.body = []
            case Auth(mechanism=mechanism, initial=initial):
                self.sasl = make_server(mechanism)
                return self._judge(self.sasl, initial)
            case AuthResponse(response=response):
                assert self.sasl is not None
                return self._judge(self.sasl, response)
            case StartTls():
                return (
                    Reply(220, "2.0.0", "Go ahead") if self.tls else Reply(454, "4.7.0", "No TLS")
                )
            case Verify():
                return Reply(252, "2.1.5", "Try and see")
        return None

    def _judge(self, sasl: Mechanism, response: bytes | None) -> Reply | None:
        try:
            step = sasl.step(response)
        except SaslMalformed as error:
            return Reply(501, "5.5.2", str(error))
        if isinstance(step, KeysWanted):
            assert isinstance(sasl, ScramServer)
            step = sasl.offer([KEYS], "server")
        if isinstance(step, Challenge):
            self.server.challenge(step.data)
            return None
        if step in (PasswordGiven("", "user", "secret"), Proven(0)):
            return Reply(235, "2.7.0", "Welcome")
        return Reply(535, "5.7.8", "Wrong name or password")

    def _end(self, octets: int) -> Reply | None:
        body = b"".join(self.body)
        assert len(body) == octets
        envelope = self.server.envelope
        assert envelope is not None
        self.messages.append(Received(envelope, body))
        if b"virus" in body:
            return Reply(550, "5.7.1", "Infected")
        if not envelope.recipients or self.server._config.lmtp is False:
            return Reply(250, "2.0.0", f"Queued, {octets} octets")
        self.server.reply_each(
            [
                Reply(452, "4.2.2", "Full")
                if each.address.local_part == "full"
                else Reply(250, "2.0.0", f"For {each.address}")
                for each in envelope.recipients
            ]
        )
        return None


def _verdict(address: Address) -> Reply:
    match address.local_part:
        case "nobody":
            return Reply(550, "5.1.1", "No such user")
        case "later":
            return Reply(450, "4.2.0", "Come later")
        case "gone":
            return Reply(421, "4.3.0", "Bye")
    return Reply(250, "2.1.5", "Recipient OK")


def config(**settings: object) -> ServerConfig:
    return ServerConfig(hostname="mx.example", **settings)  # type: ignore[arg-type]


def serving(secure: bool = False, **settings: object) -> Clerk:
    """A server that has greeted already; the greeting is taken away."""
    server = SMTPServer(config(**settings), 0.0, secure=secure)
    clerk = Clerk(server)
    clerk.work()
    server.bytes_to_send()
    clerk.events.clear()
    return clerk


def say(clerk: Clerk, data: bytes, now: float = 1.0) -> bytes:
    """Give the server `data` in one piece, return what it answers."""
    clerk.server.receive_data(data, now)
    clerk.work()
    return clerk.server.bytes_to_send()


def codes(answer: bytes) -> list[str]:
    """The codes of the replies, with the enhanced ones where there are any."""
    found = []
    for line in answer.decode().split("\r\n")[:-1]:
        if line[3:4] != "-":
            enhanced = line[4:].split(" ")[0]
            found.append(f"{line[:3]} {enhanced}" if enhanced.count(".") == 2 else line[:3])
    return found


def recipients(*texts: str) -> list[Recipient]:
    return [Recipient(Address.parse(text)) for text in texts]


def envelope(sender: str = "a@client.example") -> Envelope:
    return Envelope(Address.parse(sender) if sender else None)


Cut = Callable[[bytes], Iterable[bytes]]


def whole(data: bytes) -> Iterable[bytes]:
    return (data,)


def bytewise(data: bytes) -> Iterable[bytes]:
    return (data[index : index + 1] for index in range(len(data)))


class Road:
    """Carries octets between a client and a server, each way cut by `to_server` and `to_client`."""

    def __init__(
        self,
        client: SMTPClient,
        clerk: Clerk,
        to_server: Cut = whole,
        to_client: Cut = whole,
    ) -> None:
        self.client = client
        self.clerk = clerk
        self.to_server = to_server
        self.to_client = to_client
        self.events: list[ClientEvent] = []
        self.sent = bytearray()
        self.heard = bytearray()

    def run(self) -> list[ClientEvent]:
        """Carry until both are silent; return the client's new events."""
        seen = len(self.events)
        moved = True
        while moved:
            moved = False
            self.clerk.work()
            if data := self.clerk.server.bytes_to_send():
                moved = True
                self.heard += data
                for piece in self.to_client(data):
                    self.client.receive_data(piece, 1.0)
                    self._collect()
            self._collect()
            if data := self.client.bytes_to_send():
                moved = True
                self.sent += data
                for piece in self.to_server(data):
                    self.clerk.server.receive_data(piece, 1.0)
                    self.clerk.work()
        return self.events[seen:]

    def _collect(self) -> None:
        while (event := self.client.next_event()) is not None:
            self.events.append(event)


def road(
    to_server: Cut = whole,
    to_client: Cut = whole,
    *,
    lmtp: bool = False,
    prefer_chunking: bool = False,
    **settings: object,
) -> Road:
    """Client and server, connected and greeted."""
    clerk = Clerk(SMTPServer(config(lmtp=lmtp, **settings), 0.0))
    client = SMTPClient("client.example", 0.0, lmtp=lmtp, prefer_chunking=prefer_chunking)
    link = Road(client, clerk, to_server, to_client)
    link.run()
    client.hello(1.0)
    link.run()
    return link
