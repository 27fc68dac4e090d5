"""What is the same for every command of a POP3 session: lines in, answers out, states, limits, ends.

`server` adds the commands.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from postroad.wire.pop3 import grammar
from postroad.wire.pop3.body import DotStuffer, TopCutter
from postroad.wire.pop3.events import Closed, Opened, Question, ServerEvent
from postroad.wire.pop3.grammar import CommandError, ResponseCode
from postroad.wire.pop3.lines import LineEndless, LineReader, LineTooLong
from postroad.wire.pop3.outbox import Outbox
from postroad.wire.pop3.settings import ServerConfig
from postroad.wire.pop3.states import Outcome, State, Verb, next_state

Q = TypeVar("Q", bound=Question)

Handler = Callable[[Any, bytes], Question | None]
"""A command: the machine and what follows the keyword. Raises `CommandError`."""

_DEAF = (State.HANDSHAKE, State.UPDATE, State.CLOSED)


class LocalProtocolError(Exception):
    """The driver answered what was not asked: a mistake of ours, not of the client."""


class Dialogue:
    """One connection's machine without its commands. `now` is of a clock that never goes back.

    `secure` tells whether the link is TLS.
    """

    handlers: Mapping[State, Mapping[bytes, Handler]]
    """The commands that are legal in each state, by keyword."""
    keywords: frozenset[bytes]

    def __init__(self, config: ServerConfig, now: float, *, secure: bool = False) -> None:
        self.secure = secure
        self._config = config
        self._state = State.CONNECTED
        self._legal = self.handlers[State.CONNECTED]
        self._deaf = False
        self._usual = False  # the session was opened and is not about to end
        self._opened_at = self._active_at = self._now = now
        self._lines = LineReader()
        self._outbox = Outbox()
        self._send = self._outbox.put
        self._waiting: Question | None = None
        self._stuffer: DotStuffer | None = None
        self._cutter: TopCutter | None = None
        self._errors = 0
        self._eof = False
        self._shutting_down = False
        self._opened = False
        self._ended = False
        self._closed: Closed | None = None

    @property
    def state(self) -> State:
        """Where the session stands."""
        return self._state

    @property
    def closing(self) -> bool:
        """Whether the connection is to be closed once everything is sent."""
        return self._state is State.CLOSED

    @property
    def buffered(self) -> int:
        """Octets received and not yet consumed; a driver stops reading while this is large."""
        return len(self._lines)

    @property
    def full(self) -> bool:
        """Whether what waits to be sent is to be sent before the machine goes on."""
        return self._outbox.full

    def receive_data(self, data: bytes, now: float) -> None:
        """Take octets from the client."""
        self._now = now
        # What comes in clear behind STLS was not said by the client that the handshake proves
        # (CVE-2011-0411); behind QUIT there is nothing to say.
        if not self._deaf:
            self._lines.append(data)

    def receive_eof(self) -> None:
        """The client will send no more; complete commands that are here are still answered."""
        self._eof = True

    def shut_down(self) -> None:
        """Hang up as soon as no command is under way; nothing is removed."""
        self._shutting_down = True
        self._usual = False

    def deadline(self) -> float | None:
        """Return when `time_out` is due if nothing happens."""
        if self._state is State.TRANSACTION:
            return self._active_at + self._config.autologout_seconds
        if self._state is State.CLOSED or self._state is State.UPDATE:
            return None
        return self._opened_at + self._config.login_seconds

    def touch(self, now: float) -> None:
        """Our answer took until now to be sent: the client was not idle meanwhile."""
        self._active_at = self._now = now

    def time_out(self, now: float) -> None:
        """End the session without UPDATE and without a word (RFC 1939 §3), unless the client waits
        for an answer.
        """
        self._now = now
        if self._waiting is not None and self._stuffer is None:
            self._err("internal error, closing", ResponseCode.SYS_TEMP)
        self._close("timeout")

    def abandon(self, reason: str = "connection lost") -> None:
        """The client is gone, or what it was being sent is: forget everything, remove nothing."""
        self._outbox.clear()
        self._close(reason)

    def bytes_to_send(self) -> bytes:
        """Return what is to be sent, once: 64 KiB, and what of an answer or a piece of one goes beyond.

        Call again until it is empty, or where the machine was not `full` before.
        """
        return self._outbox.take()

    def next_event(self) -> ServerEvent | None:
        """Return the next event; None: send what there is, answer the last event or bring more."""
        if self._waiting is not None:
            return None
        outbox, lines = self._outbox, self._lines
        limit = self._config.max_line_octets
        while not outbox.full:
            if not self._usual:
                return self._beginning_or_end()
            command = lines.take_command(self._legal, limit)
            if command is not None:
                self._active_at = self._now
                handler, argument = command
                try:
                    event: Any = handler(self, argument)
                except CommandError as error:
                    self._mistake(str(error))
                    continue
            elif lines.empty and not self._eof:
                return None
            else:
                line = self._take_line()
                if line is None:
                    if self._eof:
                        self._close("eof")
                    elif self._usual and not outbox.full:
                        return None
                    continue
                event = self._command(line)
            if event is not None:
                self._waiting = event
                return event  # type: ignore[no-any-return]
        return None

    def _beginning_or_end(self) -> ServerEvent | None:
        if not self._opened and self._state is not State.CLOSED:
            self._opened = True
            self._usual = not self._shutting_down
            self._waiting = opened = Opened()
            return opened
        if self._state is not State.CLOSED:
            self._err("server is shutting down", ResponseCode.SYS_TEMP)
            self._close("shutting down")
        closed, self._closed = self._closed, None
        return closed

    def _take_line(self) -> bytes | None:
        limit = self._config.max_line_octets
        lines = self._lines
        while len(lines):
            if len(lines) > limit and self._sasl_line_next():
                limit = self._config.max_auth_line_octets
            try:
                return lines.take(limit)
            except LineTooLong:
                self._mistake("line too long")
                if self._state is State.AUTHENTICATING:
                    self._move(Verb.RESPONSE, Outcome.ERR)
            except LineEndless:
                self._close("line too long")
        return None

    def _sasl_line_next(self) -> bool:
        return self._state is State.AUTHENTICATING or self._lines.starts_with(b"AUTH ")

    def _command(self, line: bytes) -> Question | None:
        self._active_at = self._now
        try:
            if self._state is State.AUTHENTICATING:
                return self._sasl_response(line)
            keyword, argument = grammar.parse_line(line)
            handler = self._legal.get(keyword) or self._legal.get(keyword.upper())
            if handler is not None:
                return handler(self, argument)
            if keyword.upper() in self.keywords:
                self._mistake(f"not in {self._state.name} state")
            else:
                self._mistake("unknown command")
        except CommandError as error:
            self._mistake(str(error))
        return None

    def _sasl_response(self, line: bytes) -> Question | None:
        raise NotImplementedError

    def _answer(self, kind: type[Q]) -> Q:
        event = self._waiting
        if not isinstance(event, kind):
            raise LocalProtocolError(f"{kind.__name__} is not what waits, but {event!r}")
        self._waiting = None
        return event

    def _move(self, verb: Verb, outcome: Outcome) -> None:
        following = next_state(self._state, verb, outcome)
        if following is None:
            raise LocalProtocolError(f"{verb} {outcome} has no place in {self._state}")
        self._state = following
        self._legal = self.handlers[following]
        self._deaf = following in _DEAF

    def _close(self, reason: str) -> None:
        """Any state may end so, when the client or the server goes. Only the first reason counts."""
        if not self._ended:
            self._ended = True
            self._closed = Closed(reason)
        self._state = State.CLOSED
        self._deaf = True
        self._usual = False
        self._waiting = self._stuffer = self._cutter = None
        self._outbox.cut()
        self._lines.clear()

    def _mistake(self, text: str) -> None:
        """Refuse what the client got wrong, and it too when it gets too much wrong."""
        self._errors += 1
        if self._errors > self._config.max_errors:
            self._err("too many errors, closing")
            self._close("too many errors")
        else:
            self._err(text)

    def _ok(self, text: str) -> None:
        self._send(f"+OK {text}\r\n".encode())

    def _err(self, text: str, code: ResponseCode | None = None) -> None:
        self._send(f"-ERR {f'[{code.value}] ' if code else ''}{text}\r\n".encode())
