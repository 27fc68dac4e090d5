"""The server's side of a dialogue, without I/O: SMTP (RFC 5321) with its extensions, or LMTP (RFC 2033).

The machine answers itself what needs no judgement (syntax, order, limits) and asks its driver the
rest, one question at a time, so pipelined commands (RFC 2920) wait while a check thinks. Whatever
the client sends, memory is bounded by the limits of `ServerConfig` and by what the driver puts in.
"""

from collections.abc import Sequence

from postroad.model import Reply
from postroad.wire.smtp import server_replies as say
from postroad.wire.smtp.commands import Commands
from postroad.wire.smtp.errors import LocalProtocolError
from postroad.wire.smtp.events import (
    Auth,
    DataBegin,
    DataEnd,
    Hello,
    Mail,
    Opened,
    Rcpt,
    ServerEvent,
    StartTls,
)
from postroad.wire.smtp.framing import LineEndless, LineTooLong
from postroad.wire.smtp.intake import ChunkIntake, DataIntake
from postroad.wire.smtp.settings import ServerConfig
from postroad.wire.smtp.states import State, Verb

# Nothing is to be heard then, or nothing that we may believe.
_DEAF = frozenset((State.CONNECTED, State.HANDSHAKE, State.CLOSED))


# A member of an enum is looked up by Python code (3.11); a name of the module is not.
_CONNECTED, _AUTHENTICATING = State.CONNECTED, State.AUTHENTICATING
_HANDSHAKE, _END = State.HANDSHAKE, Verb.END


class SMTPServer(Commands):
    """One connection's server machine.

    `secure`: the link is under TLS. `hello_name` and `extended`: what the client said in HELO, EHLO
    or LHLO. `authenticated`: the user name that was answered with 235. `closing`: send what there is
    and close; what a driver still replies is ignored. Times are seconds on any clock that does not
    step back.
    """

    def __init__(self, config: ServerConfig, now: float, *, secure: bool = False) -> None:
        super().__init__(config, now, secure=secure)
        self._unread = False  # there may be enough in the buffer to go on
        self._early = False
        self._eof = False
        self._leaving = False
        self._session_end = now + config.session_total_seconds

    @property
    def buffered(self) -> int:
        """Octets received and not yet consumed; a driver stops reading while this is large."""
        return len(self._buffer)

    def receive_data(self, data: bytes, now: float) -> None:
        """Take octets from the client."""
        self._now = now
        if self._state not in _DEAF:
            self._buffer.append(data)
            self._unread = True
        elif self._state is _CONNECTED:
            # RFC 5321 §3.1: the client waits for the greeting; those that do not are spamware.
            self._early = self._early or bool(data)

    def receive_eof(self) -> None:
        """The client will send no more. What came before is still obeyed."""
        self._eof = True

    def next_event(self) -> ServerEvent | None:
        """Return the next event; None: more data, or the answer to the last event, is needed."""
        events = self._events
        while not events:
            if self._asked is not None:
                return None
            if self.closing:
                return self._say_closed()
            if self._leaving and not self._in_message:
                self._part(say.SHUTTING_DOWN, "shutting down")
            elif not (self._unread and self._advance()):
                self._unread = False
                if not self._eof:
                    return None
                self._close("eof")
        return events.popleft()

    def reply(self, reply: Reply, now: float | None = None) -> None:
        """Answer the pending event; `now` starts the client's time anew if the answer took long.

        Raises `LocalProtocolError` if nothing is pending, or the reply does not fit the event.
        """
        asked = self._take_asked(reply)
        if asked is None:
            return
        if now is not None:
            self._now = self._since = now
        verb = self._asked_by
        kind = type(asked)
        if kind is DataEnd:
            self._answer_end_alike(verb, reply)
        elif kind is Opened:
            self._greet(reply)
        elif isinstance(asked, DataBegin) and asked.chunking:
            self._begin_chunks(reply)
        elif isinstance(asked, Hello) and reply.positive:
            self._welcome(asked, verb, reply)
        elif self._answer(verb, reply) and reply.code < 400:
            self._grant(asked)

    def reply_each(self, replies: Sequence[Reply], now: float | None = None) -> None:
        """Answer `DataEnd` with a reply for each accepted recipient, in order (RFC 2033 §4.2).

        Raises `LocalProtocolError` where another number of replies is due.
        """
        if self._asked is not None:
            due = len(self._recipients) if self._config.lmtp else 1
            if not isinstance(self._asked, DataEnd) or len(replies) != due:
                raise LocalProtocolError(f"{len(replies)} replies are not what is due now")
        if self._take_asked(*replies) is not None:
            if now is not None:
                self._now = self._since = now
            self._answer_end(self._asked_by, replies)

    def deadline(self) -> float | None:
        """When `time_out` is due if nothing happens; None while the driver owes an answer."""
        if self.closing or self._asked is not None:
            return None
        config = self._config
        if self._data is None and not self._in_chunk:
            # From the last whole command, so that an octet now and then gains nothing.
            return min(self._since + config.command_seconds, self._session_end)
        return min(
            self._now + config.data_idle_seconds,
            self._body_since + config.data_total_seconds,
            self._session_end,
        )

    def time_out(self, now: float) -> None:
        """Say 421 4.4.2 and close. RFC 5321 §4.5.3.2."""
        self._now = now
        if not self.closing:
            self._part(say.TIMED_OUT, "timeout")

    def shut_down(self) -> None:
        """Say 421 4.3.2 as soon as no message is under way, and close. RFC 5321 §3.8."""
        self._leaving = True
        if self._asked is None and not self.closing and not self._in_message:
            self._part(say.SHUTTING_DOWN, "shutting down")

    def tls_started(self, now: float) -> None:
        """The handshake is done: forget all that was said before it (RFC 3207 §4.2).

        Raises `LocalProtocolError` unless STARTTLS was answered with 220.
        """
        if self._state is not _HANDSHAKE:
            raise LocalProtocolError("TLS can start only after STARTTLS was answered with 220")
        self._now = self._since = now
        self._buffer.clear()
        self.secure = True
        self.hello_name = ""
        self.extended = False
        self.authenticated = None
        self._move(Verb.TLS, 220)

    # What the driver's answers bring about

    def _greet(self, reply: Reply) -> None:
        if self._leaving:
            self._part(say.SHUTTING_DOWN, "shutting down")
        elif self._early and reply.positive:
            self._break_off(say.TALKED_FIRST, "talked before the greeting")
        elif self._early:
            self._break_off(say.named(self._config.hostname, reply), "talked before the greeting")
        else:
            self._answer(Verb.OPEN, say.named(self._config.hostname, reply))

    def _welcome(self, asked: Hello, verb: Verb, reply: Reply) -> None:
        offers = say.hello(self._config, reply, extended=asked.extended, secure=self.secure)
        if self._answer(verb, offers):
            self.hello_name = asked.name
            self.extended = asked.extended

    def _grant(self, asked: ServerEvent) -> None:
        if isinstance(asked, Rcpt):
            self._recipients.append(asked.recipient)
            self._envelope = None
        elif isinstance(asked, Mail):
            self._transaction = asked.envelope
        elif isinstance(asked, DataBegin):
            self._data = DataIntake(self._config.max_message_octets)
            self._body_since = self._now
        elif isinstance(asked, Auth):
            self.authenticated = asked.username
        elif isinstance(asked, StartTls):
            self._buffer.clear()

    def _begin_chunks(self, reply: Reply) -> None:
        if reply.code == 421:
            self._part(reply, "421")
        elif not reply.intermediate and self._chunks is not None:
            self._chunks.swallow(reply)

    def _say_closed(self) -> ServerEvent | None:
        """`Closed`, once."""
        closed, self._closed = self._closed, None
        return closed

    # Reading

    def _advance(self) -> bool:
        """Consume the next thing; False: there is not enough of it."""
        if self._data is not None:
            return self._read_data(self._data)
        if self._in_chunk and self._chunks is not None:
            return self._read_chunk(self._chunks)
        authenticating = self._state is _AUTHENTICATING
        try:
            line = self._buffer.take_line(long=authenticating)
        except LineTooLong:
            self._since = self._now
            self._misunderstand(say.RESPONSE_TOO_LONG if authenticating else say.LINE_TOO_LONG)
            return True
        except LineEndless:
            self._break_off(say.LINE_TOO_LONG, "a line without an end")
            return True
        if line is None:
            return False
        self._since = self._now
        self._obey(line)
        return True

    def _read_data(self, body: DataIntake) -> bool:
        if not len(self._buffer):
            return False
        event = body.take(self._buffer)
        if event is not None:
            self._events.append(event)
        if body.complete:
            self._data = None
            self._end_body(_END, body.octets, body.refusal, plain=body.plain)
        return True

    def _read_chunk(self, body: ChunkIntake) -> bool:
        if not body.complete:
            if not len(self._buffer):
                return False
            event = body.take(self._buffer)
            if event is not None:
                self._events.append(event)
        if body.complete:
            self._end_chunk(body)
        return True

    def _end_chunk(self, body: ChunkIntake) -> None:
        self._in_chunk = False
        end = body.finish() if body.last else None
        if end is not None:
            self._events.append(end)
        if body.refusal is not None:
            self._chunks = None
        if body.last:
            self._end_body(Verb.BDAT_LAST, body.octets, body.refusal)
        else:
            self._since = self._now
            self._answer(Verb.BDAT, body.refusal or body.received)

    def _end_body(
        self, verb: Verb, octets: int, refusal: Reply | None, *, plain: bool = False
    ) -> None:
        self._since = self._now
        if refusal is None:
            self._ask(DataEnd(octets, plain), verb)
        elif self._recipients:
            self._answer_end_alike(verb, refusal)
        else:  # BDAT LAST out of order
            self._answer(verb, refusal)
