"""What goes wrong in a dialogue, by whose fault it is.

ProtocolError
 ├── LocalProtocolError    our own side asked the machine for what the protocol forbids: a bug
 └── RemoteProtocolError   the peer said what the protocol forbids; `reply` is what to answer
"""

from postroad.model import Reply


class ProtocolError(Exception):
    """The dialogue cannot go on as asked."""


class LocalProtocolError(ProtocolError):
    """The machine's user asked for something that is not legal in this state."""


class RemoteProtocolError(ProtocolError):
    """The peer broke the protocol.

    `reply` is what a server answers to it; at a client it is None.
    """

    def __init__(self, message: str, reply: Reply | None = None) -> None:
        super().__init__(message)
        self.reply = reply


def wrong(code: int, enhanced: str, text: str) -> RemoteProtocolError:
    """Return the error that makes a server answer so."""
    return RemoteProtocolError(text, Reply(code, enhanced, text))
