"""The server's side of a dialogue, without I/O (RFC 5321, RFC 2033)."""

from collections.abc import Sequence

from postroad.model import Envelope, Reply
from postroad.wire.smtp.events import ServerEvent
from postroad.wire.smtp.settings import ServerConfig


class SMTPServer:
    """One connection's server machine."""

    closing: bool
    secure: bool
    hello_name: str
    extended: bool
    authenticated: str | None

    def __init__(self, config: ServerConfig, now: float, *, secure: bool = False) -> None:
        raise NotImplementedError

    @property
    def envelope(self) -> Envelope | None:
        """The transaction's envelope so far, with the accepted recipients."""
        raise NotImplementedError

    @property
    def buffered(self) -> int:
        """Octets received and not yet consumed; a driver stops reading while this is large."""
        raise NotImplementedError

    def receive_data(self, data: bytes, now: float) -> None:
        """Take octets from the client."""
        raise NotImplementedError

    def receive_eof(self) -> None:
        """The client will send no more."""
        raise NotImplementedError

    def next_event(self) -> ServerEvent | None:
        """Return the next event; None: more data, or the answer to the last event, is needed."""
        raise NotImplementedError

    def reply(self, reply: Reply) -> None:
        """Answer the pending event. Raises `LocalProtocolError` if none is pending."""
        raise NotImplementedError

    def reply_each(self, replies: Sequence[Reply]) -> None:
        """Answer `DataEnd` with a reply for each accepted recipient, in order (RFC 2033 §4.2)."""
        raise NotImplementedError

    def bytes_to_send(self) -> bytes:
        """Return what is to be sent, once."""
        raise NotImplementedError

    def deadline(self) -> float | None:
        """When `time_out` is due if nothing happens; None: never."""
        raise NotImplementedError

    def time_out(self, now: float) -> None:
        """Say 421 4.4.2 and close."""
        raise NotImplementedError

    def shut_down(self) -> None:
        """Say 421 4.3.2 as soon as no message is under way, and close."""
        raise NotImplementedError

    def tls_started(self, now: float) -> None:
        """The handshake is done: forget all that was said before it (RFC 3207 §4.2)."""
        raise NotImplementedError
