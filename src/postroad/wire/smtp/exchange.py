"""What a client keeps of a dialogue: what was said and awaits its reply, what is to be said after.

Replies belong to commands by their order, nothing else (RFC 2920 §3.1), so whatever throws doubt on
the order (a reply nobody asked for, one that cannot be the answer) ends the connection: `Lost`.
"""

from collections import deque
from enum import Enum
from functools import lru_cache

from postroad.model import Reply
from postroad.wire.smtp.errors import LocalProtocolError, RemoteProtocolError
from postroad.wire.smtp.events import ClientEvent, EndDone, Lost, Phase, TransactionFailed
from postroad.wire.smtp.replies import ReplyReader
from postroad.wire.smtp.settings import ClientTimeouts
from postroad.wire.smtp.states import LEGAL, TOLERATED, State, Verb, next_state, outcome_of_code

QUIET = -1  # in place of an index: the machine's own affair, of which no event tells
ENDS = frozenset((Verb.END, Verb.BDAT_LAST))
BODIES = ENDS | {Verb.BDAT}
_PLAIN = frozenset((Verb.OPEN, Verb.EHLO, Verb.HELO))  # answers without enhanced code, RFC 2034 §4
_PHASES = {
    Verb.OPEN: Phase.GREETING,
    Verb.EHLO: Phase.HELLO,
    Verb.HELO: Phase.HELLO,
    Verb.STARTTLS: Phase.TLS,
    Verb.AUTH: Phase.AUTH,
    Verb.RESPONSE: Phase.AUTH,
    Verb.MAIL: Phase.ENVELOPE,
    Verb.RCPT: Phase.ENVELOPE,
    Verb.DATA: Phase.ENVELOPE,
    Verb.RSET: Phase.IDLE,
    Verb.QUIT: Phase.QUIT,
    # what remains of these is quiet: the message itself is settled
    Verb.END: Phase.ENVELOPE,
    Verb.BDAT: Phase.ENVELOPE,
    Verb.BDAT_LAST: Phase.ENVELOPE,
}


class Stage(Enum):
    """What the client's user may do next."""

    BETWEEN = "between transactions"
    ENVELOPE = "the envelope is being answered"
    BODY = "the body may be sent"


@lru_cache(maxsize=4096)  # asked for every reply; real servers know few codes
def _state_after(state: State, verb: Verb, code: int) -> State | None:
    """Return the state after a server's answer; None if it can be no answer."""
    return next_state(state, verb, code) or TOLERATED.get((state, verb, outcome_of_code(code)))


# A member of an enum is looked up by Python code (3.11); a name of the module is not.
_HANDSHAKE, _AUTHENTICATING, _CLOSED = State.HANDSHAKE, State.AUTHENTICATING, State.CLOSED


_BETWEEN, _BODY = Stage.BETWEEN, Stage.BODY


class Exchange:
    """The part of a client machine that keeps order; `SMTPClient` adds what is said and heard."""

    def __init__(self, now: float, timeouts: ClientTimeouts) -> None:
        self.closing = False
        self.pipelining = False
        self._state = State.CONNECTED
        self._stage = _BETWEEN
        self._reader = ReplyReader()
        self._out: list[bytes] = []
        self._events: deque[ClientEvent] = deque()
        self._todo: deque[tuple[bytes, Verb, int | None]] = deque()
        self._awaited: deque[tuple[Verb, int | None]] = deque(((Verb.OPEN, None),))
        self._end_indexes: tuple[int | None, ...] = (None,)  # whose answers a message's end awaits
        self._end_unsent = False
        self._eof = False
        self._now = self._since = now
        seconds = timeouts
        self._block_seconds = seconds.block_seconds
        self._tls_seconds = seconds.tls_seconds
        self._seconds = {
            Verb.OPEN: seconds.greeting_seconds,
            Verb.EHLO: seconds.hello_seconds,
            Verb.HELO: seconds.hello_seconds,
            Verb.STARTTLS: seconds.tls_seconds,
            Verb.AUTH: seconds.auth_seconds,
            Verb.RESPONSE: seconds.auth_seconds,
            Verb.MAIL: seconds.mail_seconds,
            Verb.RCPT: seconds.rcpt_seconds,
            Verb.DATA: seconds.data_seconds,
            Verb.END: seconds.end_seconds,
            Verb.BDAT: seconds.block_seconds,
            Verb.BDAT_LAST: seconds.end_seconds,
            Verb.RSET: seconds.reset_seconds,
            Verb.QUIT: seconds.quit_seconds,
        }

    def receive_data(self, data: bytes, now: float) -> None:
        """Take octets from the server."""
        self._now = now
        if self.closing or not data:
            return
        if self._state is _HANDSHAKE:
            self._lose("plain text came after the answer to STARTTLS")
        else:
            self._reader.feed(data)

    def receive_eof(self) -> None:
        """The server will send no more."""
        self._eof = True

    def next_event(self) -> ClientEvent | None:
        """Return the next event; None: more data is needed, or the user's next step."""
        events, awaited = self._events, self._awaited
        while not events:
            if self.closing:
                return None
            enhanced = not awaited or awaited[0][0] not in _PLAIN
            try:
                reply = self._reader.next_reply(enhanced=enhanced)
            except RemoteProtocolError as error:
                self._lose(str(error))
                continue
            if reply is not None:
                self._hear(reply)
            elif self._eof:
                self._lose("the server closed the connection")
            else:
                return None
        return events.popleft()

    def bytes_to_send(self) -> bytes:
        """Return what is to be sent, once."""
        return b"".join(self.pieces_to_send())

    def pieces_to_send(self) -> list[bytes]:
        """Return what is to be sent, once; a body that was given in one piece comes as that piece."""
        pieces = self._out
        if pieces:
            self._out = []
            self._end_unsent = False
        return pieces

    def deadline(self) -> float | None:
        """When `time_out` is due if nothing happens; None: nothing is waited for."""
        if self.closing:
            return None
        if self._awaited:
            return self._since + self._seconds[self._awaited[0][0]]
        if self._stage is _BODY:
            return self._since + self._block_seconds
        if self._state is _HANDSHAKE:
            return self._since + self._tls_seconds
        return None

    def time_out(self, now: float) -> None:
        """The deadline has passed: `Lost` follows. RFC 5321 §4.5.3.2."""
        self._now = now
        if not self.closing:
            waited = self._awaited[0][0] if self._awaited else "the next step"
            self._lose(f"timed out after {now - self._since:.0f} s, waiting for {waited}")

    def _check_free(self, verb: Verb) -> None:
        """Raises `LocalProtocolError` unless `verb` may be said now, alone."""
        if self.closing:
            raise LocalProtocolError(f"{verb}: the connection is closing")
        if self._stage is not _BETWEEN or self._todo:
            raise LocalProtocolError(f"{verb} in the midst of a transaction")
        if self._awaited:
            raise LocalProtocolError(f"{verb} before {self._awaited[0][0]} was answered")
        if (self._state, verb) not in LEGAL:
            raise LocalProtocolError(f"{verb} is not legal in state {self._state}")

    def _only_ends_awaited(self) -> bool:
        """Whether a message was sent and nothing behind it."""
        awaited = self._awaited
        if len(awaited) == 1:
            return awaited[0][0] in BODIES
        return bool(awaited) and all(verb in BODIES for verb, _ in awaited)

    def _say(self, data: bytes, verb: Verb, now: float, index: int | None = None) -> None:
        self._todo.append((data, verb, index))
        self._flush(now)

    def _flush(self, now: float) -> None:
        """Send what may be sent: with PIPELINING everything, else one command when none is out."""
        todo, awaited = self._todo, self._awaited
        while todo and (self.pipelining or not awaited):
            data, verb, index = todo.popleft()
            if not awaited:
                self._since = now
            self._out.append(data)
            if verb in ENDS and index != QUIET:
                awaited.extend((verb, each) for each in self._end_indexes)
                self._end_unsent = True
            else:
                awaited.append((verb, index))

    def _hear(self, reply: Reply) -> None:
        self._since = self._now
        awaited = self._awaited
        if not awaited:
            self._hear_unasked(reply)
            return
        verb, index = said = awaited.popleft()
        following = _state_after(self._state, verb, reply.code)
        if following is None:
            awaited.appendleft(said)
            self._lose(f"{reply} is no answer to {verb}")
            return
        # With LMTP a message has several answers; the last of them ends its transaction.
        if not (awaited and awaited[0][0] is verb and verb in ENDS):
            self._state = following
        self._answered(verb, index, reply)
        if reply.code == 421:
            self._part(reply)
        elif self._todo:
            self._flush(self._now)

    def _answered(self, verb: Verb, index: int | None, reply: Reply) -> None:
        raise NotImplementedError

    def _hear_unasked(self, reply: Reply) -> None:
        raise NotImplementedError

    def _part(self, reply: Reply) -> None:
        """The server said 421: what else waited has its answer in it too."""
        for verb, index in self._awaited:
            if verb in ENDS and index != QUIET:
                self._events.append(EndDone(reply, index))
        if self._stage is not _BETWEEN:
            self._events.append(TransactionFailed(reply))
        self._close()

    def _lose(self, reason: str) -> None:
        self._events.append(Lost(self._phase(), reason))
        self._close()

    def _phase(self) -> Phase:
        awaited = self._awaited
        if any(verb in ENDS and index != QUIET for verb, index in awaited):
            return Phase.BODY if self._end_unsent else Phase.END
        if self._stage is _BODY or any(verb in BODIES for _, verb, _ in self._todo):
            return Phase.BODY
        if self._stage is Stage.ENVELOPE:
            return Phase.ENVELOPE
        if self._state is _HANDSHAKE:
            return Phase.TLS
        if self._state is _AUTHENTICATING:
            return Phase.AUTH
        return _PHASES[awaited[0][0]] if awaited else Phase.IDLE

    def _close(self) -> None:
        self._state = _CLOSED
        self._stage = _BETWEEN
        self.closing = True
        self._todo.clear()
        self._awaited.clear()
        self._reader.clear()
