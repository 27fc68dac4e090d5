"""The client's side of a dialogue, without I/O (RFC 5321, RFC 2033)."""

from collections.abc import Mapping, Sequence

from postroad.model import Envelope, Recipient
from postroad.wire.smtp.events import ClientEvent
from postroad.wire.smtp.settings import ClientTimeouts

_DEFAULT_TIMEOUTS = ClientTimeouts()


class SMTPClient:
    """One connection's client machine."""

    extensions: Mapping[str, str]
    secure: bool
    closing: bool

    def __init__(
        self,
        hostname: str,
        now: float,
        *,
        lmtp: bool = False,
        secure: bool = False,
        timeouts: ClientTimeouts = _DEFAULT_TIMEOUTS,
        prefer_chunking: bool = False,
    ) -> None:
        raise NotImplementedError

    @property
    def max_size(self) -> int | None:
        """The largest message the server takes, in octets, if it says (RFC 1870)."""
        raise NotImplementedError

    def receive_data(self, data: bytes, now: float) -> None:
        """Take octets from the server."""
        raise NotImplementedError

    def receive_eof(self) -> None:
        """The server will send no more."""
        raise NotImplementedError

    def next_event(self) -> ClientEvent | None:
        """Return the next event; None: more data is needed."""
        raise NotImplementedError

    def bytes_to_send(self) -> bytes:
        """Return what is to be sent, once."""
        raise NotImplementedError

    def deadline(self) -> float | None:
        """When `time_out` is due if nothing happens; None: nothing is waited for."""
        raise NotImplementedError

    def time_out(self, now: float) -> None:
        """The deadline has passed: `Lost` follows."""
        raise NotImplementedError

    def hello(self, now: float) -> None:
        """Say EHLO (LHLO); where it is refused with 5xx, HELO follows by itself."""
        raise NotImplementedError

    def starttls(self, now: float) -> None:
        """Say STARTTLS."""
        raise NotImplementedError

    def tls_started(self, now: float) -> None:
        """The handshake is done: the extensions are forgotten; say ``hello`` again."""
        raise NotImplementedError

    def auth(
        self, username: str, password: str, now: float, *, allow_plaintext: bool = False
    ) -> None:
        """Log in by PLAIN or else LOGIN. Raises `LocalProtocolError` on a link that is not secure."""
        raise NotImplementedError

    def missing_extension(
        self, envelope: Envelope, recipients: Sequence[Recipient], ascii_headers: bool
    ) -> str | None:
        """Return the keyword of an extension that the message needs and the server lacks."""
        raise NotImplementedError

    def mail(
        self, envelope: Envelope, recipients: Sequence[Recipient], size: int, now: float
    ) -> None:
        """Begin a transaction."""
        raise NotImplementedError

    def body(self, chunk: bytes, now: float) -> None:
        """Send a piece of the message; legal after `DataReady`."""
        raise NotImplementedError

    def end(self, now: float) -> None:
        """End the message."""
        raise NotImplementedError

    def reset(self, now: float) -> None:
        """Say RSET."""
        raise NotImplementedError

    def quit(self, now: float) -> None:
        """Say QUIT."""
        raise NotImplementedError
