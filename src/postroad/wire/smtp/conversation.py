"""What a server keeps of a dialogue: its state, the transaction, what is asked and what is to be sent.

Every reply goes through here, so the table of transitions, the count of errors and the length of
lines hold for all. An answer that ends the connection leaves nothing to be obeyed behind it.
"""

from collections import deque
from collections.abc import Sequence
from functools import lru_cache

from postroad.model import Envelope, Recipient, Reply
from postroad.wire.smtp import server_replies as say
from postroad.wire.smtp.errors import LocalProtocolError
from postroad.wire.smtp.events import Closed, DataBegin, Opened, Reset, ServerEvent
from postroad.wire.smtp.framing import LineBuffer
from postroad.wire.smtp.intake import ChunkIntake, DataIntake
from postroad.wire.smtp.replies import encode_reply
from postroad.wire.smtp.settings import ServerConfig
from postroad.wire.smtp.states import LEGAL, State, Verb, next_state

# RFC 2034 §4: greeting and answers to HELO and EHLO have no enhanced code
_PLAIN = frozenset((Verb.OPEN, Verb.HELO, Verb.EHLO))
_BACK = frozenset((State.GREETED, State.READY, State.FAILED))
_GIVING_UP = frozenset((Verb.HELO, Verb.EHLO, Verb.RSET))
# RFC 3207 §4 and RFC 4954 §6: what is answered even before TLS, or before authentication
_BEFORE_TLS = frozenset((Verb.NOOP, Verb.EHLO, Verb.STARTTLS, Verb.QUIT))
_BEFORE_AUTH = _BEFORE_TLS | {Verb.AUTH, Verb.HELO, Verb.RSET, Verb.HELP}


# A member of an enum is looked up by Python code (3.11); a name of the module is not.
_CLOSED, _CHUNKING, _HANDSHAKE = State.CLOSED, State.CHUNKING, State.HANDSHAKE
_CONNECTED, _UNAVAILABLE = State.CONNECTED, State.UNAVAILABLE
_OPEN, _DATA, _QUIT, _NOOP = Verb.OPEN, Verb.DATA, Verb.QUIT, Verb.NOOP


class Conversation:
    """The part of a server machine that speaks; `Commands` and `SMTPServer` add those that listen."""

    def __init__(self, config: ServerConfig, now: float, *, secure: bool) -> None:
        self.secure = secure
        self.closing = False
        self.hello_name = ""
        self.extended = False
        self.authenticated = False
        self._config = config
        self._restricted = config.tls_required or config.auth_required
        self._state = _CONNECTED
        self._buffer = LineBuffer(
            config.max_line_octets, word=b"AUTH ", word_limit=config.max_auth_line_octets
        )
        self._out: list[bytes] = []
        self._asked: ServerEvent | None = Opened()
        self._asked_by = _OPEN
        self._events: deque[ServerEvent] = deque((self._asked,))
        self._transaction: Envelope | None = None
        self._recipients: list[Recipient] = []
        self._envelope: Envelope | None = None  # made of both when it is asked for
        self._data: DataIntake | None = None
        self._chunks: ChunkIntake | None = None
        self._in_chunk = False
        self._closed: Closed | None = None
        self._now = now  # when the client was last heard
        self._since = now  # when its last whole command was, or was answered
        self._body_since = now
        self._errors = 0
        self._idle_commands = 0

    @property
    def envelope(self) -> Envelope | None:
        """The transaction's envelope so far, with the accepted recipients; None between transactions."""
        given = self._transaction
        if given is None:
            return None
        envelope = self._envelope
        if envelope is None:
            envelope = self._envelope = Envelope(
                given.sender,
                tuple(self._recipients),
                given.body,
                given.smtputf8,
                given.ret,
                given.envid,
                given.size,
                given.requiretls,
                given.hold_for,
                given.hold_until,
            )
        return envelope

    @property
    def smtputf8(self) -> bool:
        """Whether the transaction has SMTPUTF8 (RFC 6531)."""
        return self._transaction is not None and self._transaction.smtputf8

    def bytes_to_send(self) -> bytes:
        """Return what is to be sent, once."""
        out = self._out
        if not out:
            return b""
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return data

    @property
    def _in_message(self) -> bool:
        return self._data is not None or self._in_chunk or self._state is _CHUNKING

    def _ask(self, event: ServerEvent, verb: Verb) -> None:
        self._events.append(event)
        self._asked = event
        self._asked_by = verb

    def _take_asked(self, *replies: Reply) -> ServerEvent | None:
        """Return the event that is being answered; None if nobody is left to hear the answer."""
        asked = self._asked
        if asked is None:
            if self.closing:
                return None
            raise LocalProtocolError("no event waits for a reply")
        go_on = type(asked) is DataBegin
        for reply in replies:
            if reply.code < 400 and (reply.code >= 300) is not go_on:
                raise LocalProtocolError(f"{reply} is no answer to {type(asked).__name__}")
        self._asked = None
        return asked

    def _answer(self, verb: Verb, reply: Reply) -> bool:
        """Send `reply` and move on; False if it came to nothing because the connection ends."""
        if verb is _DATA and len(self._buffer):
            # RFC 2920 §3.1: DATA ends a group. What stands behind it is a body that nobody asked
            # for; were DATA refused, its lines would be obeyed as commands.
            self._break_off(say.BODY_TOO_EARLY, "body before the answer to DATA")
            return False
        code = reply.code
        if code >= 500:
            self._errors += 1
            if self._errors > self._config.max_errors:
                self._part(say.TOO_MANY_ERRORS, "too many errors")
                return False
        elif code == 421:
            self._part(reply, "421")
            return False
        self._send(verb, reply)
        self._move(verb, code)
        return True

    def _answer_end(self, verb: Verb, replies: Sequence[Reply]) -> None:
        """Answer a message: with one reply, or with LMTP one for each accepted recipient."""
        granted = parting = False
        utf8 = self.smtputf8
        for reply in replies:
            # Not by `_send`: such a reply, with the id of its message, is said but once.
            self._out.append(encode_reply(reply, utf8=utf8))
            granted = granted or reply.code < 300
            parting = parting or reply.code == 421
        if granted:
            self._errors = self._idle_commands = 0
        elif replies[0].permanent:
            self._errors += 1
        self._move(verb, 250 if granted else replies[0].code)
        if parting:
            self._close("421")

    def _answer_end_alike(self, verb: Verb, reply: Reply) -> None:
        """RFC 2033 §4.2: as many replies as accepted recipients, however the message ends."""
        count = len(self._recipients) if self._config.lmtp else 1
        self._answer_end(verb, (reply,) * count)

    def _send(self, verb: Verb, reply: Reply) -> None:
        transaction = self._transaction
        utf8 = transaction is not None and transaction.smtputf8
        self._out.append(_encode(reply, verb not in _PLAIN, utf8))

    def _move(self, verb: Verb, code: int) -> None:
        following = next_state(self._state, verb, code)
        if following is None:
            raise LocalProtocolError(f"{verb} cannot be answered with {code} now")
        if following is self._state:
            return
        self._state = following
        if following is _CLOSED:
            self._close("quit" if verb is _QUIT else "421")
        elif self._transaction is not None and following in _BACK:
            self._forget_transaction()
            if verb in _GIVING_UP:
                self._events.append(Reset())

    def _objection(self, verb: Verb) -> Reply | None:
        """Return why the command cannot be obeyed now, if so."""
        config, state = self._config, self._state
        if self._restricted and state is not _UNAVAILABLE:
            if config.tls_required and not self.secure and verb not in _BEFORE_TLS:
                return say.TLS_FIRST
            authenticated = self.authenticated or not config.auth_required
            if not authenticated and verb not in _BEFORE_AUTH:
                return say.AUTH_FIRST
        return None if (state, verb) in LEGAL else say.out_of_order(state, verb)

    def _part(self, reply: Reply, reason: str) -> None:
        """Say 421 and close. RFC 5321 §3.8."""
        if self._state is not _HANDSHAKE:  # nobody would understand it there
            self._send(_NOOP, say.named(self._config.hostname, reply))
        self._close(reason)

    def _break_off(self, reply: Reply, reason: str) -> None:
        """Answer and close, where to go on would mean to guess what the client's octets are."""
        self._send(_NOOP, reply)
        self._close(reason)

    def _close(self, reason: str) -> None:
        if self._closed is None:
            self._closed = Closed(reason)
        self._state = _CLOSED
        self.closing = True
        self._asked = None
        self._events.clear()
        self._buffer.clear()
        self._forget_transaction()
        self._data = None
        self._in_chunk = False

    def _forget_transaction(self) -> None:
        self._transaction = None
        self._recipients = []
        self._envelope = None
        self._chunks = None


@lru_cache(maxsize=128)
def _encode(reply: Reply, enhanced: bool, utf8: bool) -> bytes:
    """As `encode_reply`, for what is said again and again."""
    return encode_reply(reply, enhanced=enhanced, utf8=utf8)
