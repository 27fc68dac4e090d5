"""The server's side of a POP3 session, without I/O (RFC 1939, RFC 2449, RFC 2595, RFC 5034).

The machine answers by itself whatever the listing answers, and hands out messages that it was given
before they were asked for. It hands out no event while one waits for its answer or while a long answer
is not yet sent, so pipelined commands (RFC 2449 §6.6) stay in order and what is held for sending stays
small. Messages leave the mailbox only by `Commit`, which only QUIT
brings about; however else a session ends, nothing is removed.
"""

from postroad.ports import AtHand, Listing
from postroad.wire.pop3 import grammar
from postroad.wire.pop3.body import DotStuffer, TopCutter, stuff
from postroad.wire.pop3.dialogue import Dialogue, Handler, LocalProtocolError
from postroad.wire.pop3.events import Commit, Login, Opened, Question, Retrieve, StartTls
from postroad.wire.pop3.grammar import CommandError, ResponseCode
from postroad.wire.pop3.settings import ServerConfig
from postroad.wire.pop3.states import LEGAL, Outcome, State, Verb
from postroad.wire.pop3.table import MessageTable


class POP3Server(Dialogue):
    """One connection's server machine; see `Dialogue` for what drives it.

    `utf8` tells whether the client said UTF8 (RFC 6856 §2.1).
    """

    def __init__(self, config: ServerConfig, now: float, *, secure: bool = False) -> None:
        super().__init__(config, now, secure=secure)
        self.utf8 = False
        self._login_verb = Verb.PASS
        self._username: str | None = None
        self._table: MessageTable | None = None
        self._shelf: dict[int, AtHand] = {}
        self._login_failures = 0

    # The driver's answers

    def welcome(self) -> None:
        """Answer `Opened`: greet (RFC 1939 §4). No APOP time stamp, since APOP is not offered."""
        self._answer(Opened)
        self._ok(f"{self._config.hostname} {self._config.implementation} POP3 server ready")
        self._move(Verb.OPEN, Outcome.OK)

    def logged_in(self, listing: Listing) -> None:
        """Answer `Login`: the maildrop is locked, and this is in it."""
        self._answer(Login)
        self._table = table = MessageTable(listing)
        self._username = None
        self._ok(f"maildrop has {table.count} messages ({table.octets} octets)")
        self._move(self._login_verb, Outcome.OK)

    def start_tls(self) -> None:
        """Answer `StartTls`. What was received behind the command is dropped."""
        self._answer(StartTls)
        self._lines.clear()
        self._ok("begin TLS negotiation")
        self._move(Verb.STLS, Outcome.OK)

    def tls_started(self, now: float) -> None:
        """The handshake is done: forget what was said before it (RFC 2595 §4)."""
        self._now = now
        self._lines.clear()
        self._username = None
        self.utf8 = False
        self.secure = True
        self._move(Verb.TLS, Outcome.OK)

    def supply(self, messages: dict[int, AtHand]) -> None:
        """Answer `Retrieve` with the whole message, which is among `messages`, by index.

        The others are for RETR and TOP that may follow, each once; what was supplied before and not
        asked for is dropped. The dictionary is the machine's from now on.
        """
        event = self._answer(Retrieve)
        message = messages.pop(event.index, None)
        if message is None:
            raise LocalProtocolError(f"the message at {event.index} was asked for")
        self._shelf = messages
        self._give(message, event.top_lines)

    def body(self, data: bytes) -> bool:
        """Answer `Retrieve` with the next piece; return whether more of the message is wanted."""
        event = self._waiting
        if not isinstance(event, Retrieve):
            raise LocalProtocolError("no message was asked for")
        stuffer = self._stuffer
        if stuffer is None:
            stuffer = self._stuffer = DotStuffer()
            if event.top_lines is None:
                assert self._table is not None
                self._ok(f"{self._table.size(event.index)} octets")
            else:
                self._cutter = TopCutter(event.top_lines)
                self._ok("top of message follows")
        cutter = self._cutter
        if cutter is None:
            self._send(stuffer.feed(data))
            return True
        if not cutter.finished:
            self._send(stuffer.feed(cutter.feed(data)))
        return not cutter.finished

    def end_body(self) -> None:
        """The message that `body` was fed is complete, or enough of it."""
        if self._stuffer is None:
            raise LocalProtocolError("no message was begun")
        self._answer(Retrieve)
        self._send(self._stuffer.finish())
        self._stuffer = self._cutter = None

    def committed(self) -> None:
        """Answer `Commit`: what was marked is removed."""
        self._answer(Commit)
        self._ok("goodbye")
        self._move(Verb.COMMIT, Outcome.OK)
        self._close("quit")

    def refuse(self, text: str, code: ResponseCode | None = None) -> None:
        """Answer any event but a message that was begun with -ERR.

        Too many refused logins end the session, as do a refused greeting and a refused commit.
        """
        if self._stuffer is not None:
            raise LocalProtocolError("a message that was begun cannot be refused; abandon it")
        event = self._answer(Question)
        self._err(text, code)
        if isinstance(event, Login):
            self._username = None
            self._move(self._login_verb, Outcome.ERR)
            self._login_failures += 1
            if self._login_failures >= self._config.max_login_failures:
                self._close("too many failed logins")
        elif isinstance(event, Opened):
            self._move(Verb.OPEN, Outcome.ERR)
            self._close("refused")
        elif isinstance(event, Commit):
            self._move(Verb.COMMIT, Outcome.ERR)
            self._close("quit, not committed")

    # AUTHORIZATION

    def _capa(self, argument: bytes) -> None:
        """RFC 2449 §5."""
        grammar.no_argument(argument)
        config = self._config
        lines = ["+OK capability list follows", "TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE"]
        lines += ["PIPELINING", "EXPIRE NEVER", f"LOGIN-DELAY {config.login_delay_seconds}"]
        lines.append("UTF8 USER")
        if self._may_log_in:
            lines += ["USER", "SASL PLAIN"]
        if config.starttls and not self.secure and self._table is None:
            lines.append("STLS")
        lines += [f"IMPLEMENTATION {config.implementation}", ".", ""]
        self._send("\r\n".join(lines).encode())

    def _utf8(self, argument: bytes) -> None:
        """RFC 6856 §2.1."""
        grammar.no_argument(argument)
        self.utf8 = True
        self._ok("UTF8 enabled")

    def _stls(self, argument: bytes) -> Question | None:
        """RFC 2595 §4."""
        grammar.no_argument(argument)
        if self.secure:
            self._mistake("TLS is already active")
        elif not self._config.starttls:
            self._mistake("TLS is not available")
        else:
            return StartTls()
        return None

    def _user(self, argument: bytes) -> None:
        """RFC 1939 §7. Any name will do, so that nobody learns which exist."""
        if self._refused_in_clear():
            return
        self._username = grammar.text(argument)
        self._ok("send PASS")

    def _pass(self, argument: bytes) -> Question | None:
        """RFC 1939 §7."""
        if self._refused_in_clear():
            return None
        if self._username is None:
            raise CommandError("USER comes first")
        self._login_verb = Verb.PASS
        return Login("USER", self._username, grammar.text(argument))

    def _auth(self, argument: bytes) -> Question | None:
        """RFC 5034 §4."""
        mechanism, _, initial = argument.strip(b" ").partition(b" ")
        if mechanism.upper() != b"PLAIN":
            raise CommandError("SASL mechanism is not supported; see CAPA")
        if self._refused_in_clear():
            return None
        if not initial:
            self._send(b"+ \r\n")
            self._move(Verb.AUTH, Outcome.GO_ON)
            return None
        return self._plain(Verb.AUTH, b"" if initial == b"=" else initial)

    def _sasl_response(self, line: bytes) -> Question | None:
        if not line.endswith(b"\r\n"):
            self._move(Verb.RESPONSE, Outcome.ERR)
            raise CommandError("lines end in CRLF")
        response = line[:-2]
        if response == b"*":
            self._move(Verb.RESPONSE, Outcome.ERR)
            self._err("authentication cancelled")
            return None
        try:
            return self._plain(Verb.RESPONSE, response)
        except CommandError:
            self._move(Verb.RESPONSE, Outcome.ERR)
            raise

    def _plain(self, verb: Verb, response: bytes) -> Question:
        acting_as, username, password = grammar.parse_plain(response)
        if acting_as not in ("", username):
            raise CommandError("you may act only as yourself here")
        self._login_verb = verb
        return Login("PLAIN", username, password)

    @property
    def _may_log_in(self) -> bool:
        return self.secure or self._config.auth_without_tls

    def _refused_in_clear(self) -> bool:
        if self._may_log_in:
            return False
        hint = "STLS first" if self._config.starttls else "use the port for POP3 over TLS"
        self._mistake(f"no login in clear: {hint}")
        return True

    # TRANSACTION

    def _stat(self, argument: bytes) -> None:
        """RFC 1939 §5."""
        grammar.no_argument(argument)
        table = self._messages
        self._send(b"+OK %d %d\r\n" % (table.count, table.octets))

    def _list(self, argument: bytes) -> None:
        """RFC 1939 §5."""
        table = self._messages
        if argument:
            index = self._index(grammar.number(argument))
            if index is not None:
                self._send(b"+OK %d %d\r\n" % (index + 1, table.size(index)))
            return
        self._ok(f"{table.count} messages ({table.octets} octets)")
        self._outbox.put_long(table.scan_lines())

    def _uidl(self, argument: bytes) -> None:
        """RFC 1939 §7."""
        table = self._messages
        if argument:
            index = self._index(grammar.number(argument))
            if index is not None:
                self._ok(f"{index + 1} {table.unique_id(index)}")
            return
        self._ok("unique-ids follow")
        self._outbox.put_long(table.unique_id_lines())

    def _retr(self, argument: bytes) -> Question | None:
        """RFC 1939 §5."""
        return self._retrieve(grammar.number(argument), None)

    def _top(self, argument: bytes) -> Question | None:
        """RFC 1939 §7."""
        return self._retrieve(*grammar.two_numbers(argument))

    def _retrieve(self, number: int, top_lines: int | None) -> Question | None:
        message = self._shelf.pop(number - 1, None)  # never one that is marked as deleted
        if message is not None:
            self._give(message, top_lines)
            return None
        index = self._index(number)
        return None if index is None else Retrieve(index, top_lines)

    def _give(self, message: AtHand, top_lines: int | None) -> None:
        _, prefix, content, plain = message
        if top_lines is not None:
            self._ok("top of message follows")
            self._send(stuff(TopCutter(top_lines).feed(prefix + content)))
            return
        octets = len(prefix) + len(content)
        if plain and content.endswith(b"\r\n"):
            head = b"+OK %d octets\r\n%b" % (octets, prefix)
            self._outbox.put_parts((head, content, b".\r\n"), len(head) + len(content) + 3)
        else:
            self._send(b"+OK %d octets\r\n" % octets)
            self._send(stuff(prefix + content))

    def _dele(self, argument: bytes) -> None:
        """RFC 1939 §5."""
        index = self._index(grammar.number(argument))
        if index is not None:
            self._messages.delete(index)
            self._shelf.pop(index, None)
            self._send(b"+OK message %d deleted\r\n" % (index + 1))

    def _noop(self, argument: bytes) -> None:
        """RFC 1939 §5."""
        grammar.no_argument(argument)
        self._send(b"+OK\r\n")

    def _rset(self, argument: bytes) -> None:
        """RFC 1939 §5."""
        grammar.no_argument(argument)
        table = self._messages
        table.reset()
        self._ok(f"maildrop has {table.count} messages ({table.octets} octets)")

    def _quit(self, argument: bytes) -> Question | None:
        """RFC 1939 §4 and §6."""
        grammar.no_argument(argument)
        self._move(Verb.QUIT, Outcome.OK)
        if self._state is State.UPDATE:
            return Commit(self._messages.deleted())
        self._ok("goodbye")
        self._close("quit")
        return None

    @property
    def _messages(self) -> MessageTable:
        assert self._table is not None, "the table lets these commands only follow a login"
        return self._table

    def _index(self, number: int) -> int | None:
        """Return the index of a message; where there is none, say so and return None."""
        table = self._messages
        if table.has(number - 1):
            return number - 1
        if 0 < number <= len(table):
            self._err(f"message {number} is deleted")
        else:
            self._err(f"no such message, there are {len(table)}")
        return None


_COMMANDS: dict[Verb, Handler] = {
    verb: getattr(POP3Server, f"_{verb.name.lower()}")
    for verb in Verb
    if not verb.value.startswith("(")
}
POP3Server.keywords = frozenset(verb.value.encode() for verb in _COMMANDS)
POP3Server.handlers = {
    state: {
        verb.value.encode(): handler
        for verb, handler in _COMMANDS.items()
        if (state, verb) in LEGAL
    }
    for state in State
}
