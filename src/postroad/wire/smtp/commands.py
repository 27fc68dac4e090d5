"""The commands of a client: each line understood, refused, answered, or made a question to the driver.

Called by `SMTPServer` with one line at a time. A command is obeyed only where the table of transitions
has a place for it; whatever is wrong with its grammar is answered, counted, and changes nothing.
"""

import re
from collections.abc import Callable

from postroad.model import Reply
from postroad.wire.sasl import SaslMalformed, decode_message
from postroad.wire.smtp import grammar
from postroad.wire.smtp import server_replies as say
from postroad.wire.smtp.conversation import Conversation
from postroad.wire.smtp.errors import RemoteProtocolError
from postroad.wire.smtp.events import (
    Auth,
    AuthResponse,
    DataBegin,
    Hello,
    Mail,
    Rcpt,
    StartTls,
    Verify,
)
from postroad.wire.smtp.hold import hold_too_long
from postroad.wire.smtp.intake import ChunkIntake
from postroad.wire.smtp.settings import ServerConfig
from postroad.wire.smtp.states import LEGAL, State, Verb

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BY_DATA = DataBegin(chunking=False)
_BY_BDAT = DataBegin(chunking=True)
_MOVES_MAIL = frozenset((Verb.MAIL, Verb.RCPT, Verb.DATA, Verb.BDAT, Verb.QUIT))


# A member of an enum is looked up by Python code (3.11); a name of the module is not.
_AUTHENTICATING = State.AUTHENTICATING
_MAIL, _RCPT, _DATA = Verb.MAIL, Verb.RCPT, Verb.DATA
_BDAT, _BDAT_LAST, _NOOP = Verb.BDAT, Verb.BDAT_LAST, Verb.NOOP


class Commands(Conversation):
    """The part of a server machine that obeys."""

    def __init__(self, config: ServerConfig, now: float, *, secure: bool) -> None:
        super().__init__(config, now, secure=secure)
        self._commands = _LMTP_COMMANDS if config.lmtp else _SMTP_COMMANDS
        self._tainted = False
        self._transactions = 0

    def _obey(self, line: bytes) -> None:
        if self._tainted or line[-2:] != b"\r\n":
            # RFC 5321 §2.3.8: only CRLF ends a line. What a bare LF cuts off is told so, piece by
            # piece, but never obeyed, lest somebody else took all of it for one line.
            self._tainted = not line.endswith(b"\r\n")
            self._misunderstand(say.BARE_LINE_FEED)
            return
        try:
            text = line[:-2].decode().rstrip(" \t")
        except UnicodeDecodeError:
            self._misunderstand(say.NOT_UTF8)
            return
        if not text.isprintable() and _CONTROL.search(text):
            self._misunderstand(say.CONTROL_CHARACTER)
        elif self._state is _AUTHENTICATING:
            self._respond(text)
        else:
            self._command(text)

    def _command(self, text: str) -> None:
        word, _, argument = text.partition(" ")
        command = self._commands.get(word.upper()) if word.isascii() else None
        if command is None:
            self._unknown(word.upper())
            return
        verb, handler = command
        if verb not in _MOVES_MAIL:
            self._idle_commands += 1
            if self._idle_commands > self._config.max_idle_commands:
                self._part(say.TOO_MANY_COMMANDS, "too many commands")
                return
        # BDAT objects by itself, for its chunk follows in any case.
        if verb is not _BDAT and (self._restricted or (self._state, verb) not in LEGAL):
            objection = self._objection(verb)
            if objection is not None:
                self._answer(verb, objection)
                return
        try:
            handler(self, argument)
        except RemoteProtocolError as error:
            self._answer(verb, error.reply or say.UNKNOWN)

    def _misunderstand(self, reply: Reply) -> None:
        authenticating = self._state is _AUTHENTICATING
        self._answer(Verb.RESPONSE if authenticating else _NOOP, reply)

    def _unknown(self, word: str) -> None:
        if word in say.HTTP_WORDS:
            self._part(say.NOT_HTTP, "spoke HTTP")
        else:
            self._answer(_NOOP, say.NOT_DONE if word in say.OLD_WORDS else say.UNKNOWN)

    # The commands; each is called where the table says that it is legal

    def _hello(self, argument: str) -> None:
        self._ask(Hello(grammar.read_hello(argument), extended=True), Verb.EHLO)

    def _helo(self, argument: str) -> None:
        self._ask(Hello(grammar.read_hello(argument), extended=False), Verb.HELO)

    def _mail(self, argument: str) -> None:
        config = self._config
        self._transactions += 1
        if self._transactions > config.max_transactions:
            self._answer(_MAIL, say.TOO_MANY_TRANSACTIONS)
            return
        envelope = grammar.read_mail(
            argument,
            extended=self.extended,
            auth=bool(config.auth),
            requiretls=self.secure and not config.lmtp,
            hold=config.hold_max_seconds > 0,
        )
        if envelope.size is not None and envelope.size > config.max_message_octets:
            self._answer(_MAIL, say.SIZE_TOO_BIG)
        elif envelope.hold_for is not None and envelope.hold_for > config.hold_max_seconds:
            self._answer(_MAIL, hold_too_long(config.hold_max_seconds))
        else:
            self._ask(Mail(envelope), _MAIL)

    def _rcpt(self, argument: str) -> None:
        recipient = grammar.read_rcpt(
            argument,
            hostname=self._config.hostname,
            extended=self.extended,
            utf8=self.smtputf8,
        )
        if len(self._recipients) >= self._config.max_recipients:
            self._answer(_RCPT, say.TOO_MANY_RECIPIENTS)
        else:
            self._ask(Rcpt(recipient), _RCPT)

    def _data_command(self, argument: str) -> None:
        if argument:
            self._answer(_DATA, say.ARGUMENT)
        elif len(self._buffer):
            self._answer(_DATA, say.BODY_TOO_EARLY)
        else:
            self._ask(_BY_DATA, _DATA)

    def _bdat(self, argument: str) -> None:
        """RFC 3030 §2. The chunk is there whether we like the command or not, so it is read."""
        try:
            octets, last = grammar.read_chunk(argument)
        except RemoteProtocolError as error:
            # Where the next command begins cannot be known.
            self._break_off(error.reply or say.ARGUMENT, "BDAT without a size")
            return
        verb = _BDAT_LAST if last else _BDAT
        objection = self._objection(verb)
        begun = self._chunks
        chunks = begun or ChunkIntake(self._config.max_message_octets)
        aborted = chunks.begin(octets, last)
        self._chunks = chunks
        self._in_chunk = True
        if begun is None:
            self._body_since = self._now
        if objection is not None:
            chunks.swallow(objection)
        elif begun is None and aborted is None:
            self._ask(_BY_BDAT, verb)
        elif begun is not None and aborted is not None:
            self._events.append(aborted)

    def _auth(self, argument: str) -> None:
        """RFC 4954 §4."""
        config = self._config
        mechanism, _, initial = argument.partition(" ")
        if not config.auth:
            self._answer(Verb.AUTH, say.NO_AUTH)
        elif not (self.secure or config.auth_without_tls):
            self._answer(Verb.AUTH, say.AUTH_NEEDS_TLS)
        elif self.authenticated:
            self._answer(Verb.AUTH, say.AUTH_AGAIN)
        elif mechanism.upper() not in say.mechanisms(config, secure=self.secure):
            self._answer(Verb.AUTH, say.NO_MECHANISM)
        else:
            try:
                event = Auth(mechanism.upper(), decode_message(initial) if initial else None)
            except SaslMalformed:
                self._answer(Verb.AUTH, say.NOT_BASE64)
            else:
                self._ask(event, Verb.AUTH)

    def _respond(self, text: str) -> None:
        if text == "*":
            self._answer(Verb.RESPONSE, say.AUTH_CANCELLED)
            return
        try:
            self._ask(AuthResponse(decode_message(text)), Verb.RESPONSE)
        except SaslMalformed:
            self._answer(Verb.RESPONSE, say.NOT_BASE64)

    def _starttls(self, argument: str) -> None:
        if argument:
            self._answer(Verb.STARTTLS, say.ARGUMENT)
        elif not self._config.starttls or self.secure:
            self._answer(Verb.STARTTLS, say.NO_TLS)
        else:
            self._ask(StartTls(), Verb.STARTTLS)

    def _rset(self, argument: str) -> None:
        self._answer(Verb.RSET, say.ARGUMENT if argument else say.OK)

    def _noop(self, argument: str) -> None:
        self._answer(_NOOP, say.OK)

    def _help(self, argument: str) -> None:
        self._answer(Verb.HELP, say.HELP)

    def _vrfy(self, argument: str) -> None:
        if argument:
            self._ask(Verify(argument), Verb.VRFY)
        else:
            self._answer(Verb.VRFY, say.NO_ARGUMENT)

    def _expn(self, argument: str) -> None:
        self._answer(Verb.EXPN, say.NO_EXPN)

    def _quit(self, argument: str) -> None:
        hostname = self._config.hostname
        self._answer(
            Verb.QUIT, say.ARGUMENT if argument else Reply(221, "2.0.0", f"{hostname} closing")
        )


_Command = tuple[Verb, Callable[[Commands, str], None]]
_COMMANDS: dict[str, _Command] = {
    "MAIL": (Verb.MAIL, Commands._mail),
    "RCPT": (Verb.RCPT, Commands._rcpt),
    "DATA": (Verb.DATA, Commands._data_command),
    "BDAT": (Verb.BDAT, Commands._bdat),
    "RSET": (Verb.RSET, Commands._rset),
    "NOOP": (Verb.NOOP, Commands._noop),
    "HELP": (Verb.HELP, Commands._help),
    "VRFY": (Verb.VRFY, Commands._vrfy),
    "EXPN": (Verb.EXPN, Commands._expn),
    "AUTH": (Verb.AUTH, Commands._auth),
    "STARTTLS": (Verb.STARTTLS, Commands._starttls),
    "QUIT": (Verb.QUIT, Commands._quit),
}
_SMTP_COMMANDS = {
    **_COMMANDS,
    "EHLO": (Verb.EHLO, Commands._hello),
    "HELO": (Verb.HELO, Commands._helo),
}
# RFC 2033 §4.1: LHLO stands for both, which are not known.
_LMTP_COMMANDS = {**_COMMANDS, "LHLO": (Verb.EHLO, Commands._hello)}
