"""The client's side of a dialogue, without I/O: SMTP (RFC 5321) with its extensions, or LMTP (RFC 2033).

One call says one thing; `mail` says the whole envelope, in one group where the server offers
PIPELINING (RFC 2920), else step by step. A server that breaks the protocol is `Lost`; what its replies
mean is left to the driver. No bare CR or LF, and no control character in a command, ever leaves.
"""

from collections.abc import Callable, Mapping, Sequence

from postroad.model import Body, Envelope, Recipient, Reply
from postroad.wire.sasl import (
    SaslClient,
    SaslMalformed,
    decode_message,
    encode_initial,
    encode_message,
    make_client,
)
from postroad.wire.smtp import grammar
from postroad.wire.smtp.errors import LocalProtocolError
from postroad.wire.smtp.events import (
    AuthDone,
    DataReady,
    EndDone,
    Greeting,
    HelloDone,
    MailDone,
    QuitDone,
    RcptDone,
    ResetDone,
    TlsReady,
    TlsRefused,
    TransactionFailed,
)
from postroad.wire.smtp.exchange import QUIET, Exchange, Stage
from postroad.wire.smtp.framing import BareLineBreak, DotWriter, LineBreakGuard, PlainWriter
from postroad.wire.smtp.parameters import read_extensions
from postroad.wire.smtp.settings import ClientTimeouts
from postroad.wire.smtp.states import State, Verb, next_state

_DEFAULT_TIMEOUTS = ClientTimeouts()
_CHUNK_OCTETS = 65536  # RFC 3030 leaves the size to us; a reply comes for each chunk


# A member of an enum is looked up by Python code (3.11); a name of the module is not.
_CONNECTED, _GREETED, _READY = State.CONNECTED, State.GREETED, State.READY
_MAIL, _RCPT, _DATA, _END = Verb.MAIL, Verb.RCPT, Verb.DATA, Verb.END
_RSET, _BDAT, _BDAT_LAST = Verb.RSET, Verb.BDAT, Verb.BDAT_LAST


_BETWEEN, _ENVELOPE, _BODY = Stage.BETWEEN, Stage.ENVELOPE, Stage.BODY
_SEVEN_BIT, _EIGHT_BIT_MIME, _BINARY_MIME = Body.SEVEN_BIT, Body.EIGHT_BIT_MIME, Body.BINARY_MIME


class SMTPClient(Exchange):
    """One connection's client machine.

    `extensions`: what the server offered, keyword (upper case) to parameters. `secure`: the link is
    under TLS. `closing`: nothing more can be said; close. `prefer_chunking` sends messages by BDAT
    where that is offered. Times are seconds on any clock that does not step back.
    """

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
        super().__init__(now, timeouts)
        self.secure = secure
        self.extensions: Mapping[str, str] = {}
        self._hostname = hostname
        self._lmtp = lmtp
        self._prefer_chunking = prefer_chunking
        self._sasl: SaslClient | None = None
        self._accepted: list[int] = []
        self._refusal: Reply | None = None
        self._mail_refused = False
        self._chunking = False
        self._abandoned = False  # the message was refused before its end: what follows is dropped
        self._writer: DotWriter | PlainWriter = DotWriter()
        self._guard: LineBreakGuard | None = None
        self._piece = b""

    @property
    def max_size(self) -> int | None:
        """The largest message the server takes, in octets, if it says (RFC 1870 §4)."""
        size = self.extensions.get("SIZE", "")
        return int(size) or None if size.isascii() and size.isdigit() else None

    @property
    def limits(self) -> Mapping[str, int]:
        """What the server says it allows, such as ``RCPTMAX`` and ``MAILMAX`` (RFC 9422 §4)."""
        pairs = (word.partition("=") for word in self.extensions.get("LIMITS", "").split())
        return {
            name.upper(): int(value)
            for name, _, value in pairs
            if value.isascii() and value.isdigit() and len(value) < 20
        }

    def hello(self, now: float) -> None:
        """Say EHLO (LHLO); where it is refused with 5xx, HELO follows by itself. RFC 5321 §3.2."""
        self._check_free(Verb.EHLO)
        line = grammar.write_hello("LHLO" if self._lmtp else "EHLO", self._hostname)
        self._say(line, Verb.EHLO, now)

    def starttls(self, now: float) -> None:
        """Say STARTTLS. RFC 3207 §4."""
        self._check_free(Verb.STARTTLS)
        if self.secure:
            raise LocalProtocolError("the link is under TLS already")
        self._say(b"STARTTLS\r\n", Verb.STARTTLS, now)

    def tls_started(self, now: float) -> None:
        """The handshake is done: the extensions are forgotten; say ``hello`` again. RFC 3207 §4.2."""
        if self._state is not State.HANDSHAKE:
            raise LocalProtocolError("TLS can start only after STARTTLS was answered with 220")
        self._state = next_state(State.HANDSHAKE, Verb.TLS, 220) or _GREETED
        self._now = self._since = now
        self.secure = True
        self._forget()

    def auth(
        self,
        username: str,
        password: str,
        now: float,
        *,
        allow_plaintext: bool = False,
        nonce: str = "",
    ) -> None:
        """Log in by SCRAM-SHA-256, if given a `nonce` for it, or by PLAIN or LOGIN (RFC 4954).

        A nonce is fresh and random, printable, without a comma. SCRAM hashes as often as the server
        asks for, when its challenge comes: up to a second. Raises `LocalProtocolError` on a link that
        is not secure, or if none is offered.
        """
        self._check_free(Verb.AUTH)
        if not (self.secure or allow_plaintext):
            raise LocalProtocolError("a password is not said over a link that is not secure")
        offered = self.extensions.get("AUTH", "").upper().split()
        if not nonce:
            offered = [name for name in offered if not name.startswith("SCRAM-")]
        self._sasl = sasl = make_client(offered, username, password, nonce)
        if sasl is None:
            raise LocalProtocolError("the server offers neither AUTH PLAIN nor AUTH LOGIN")
        initial = "" if sasl.first is None else f" {encode_initial(sasl.first)}"
        self._say(f"AUTH {sasl.mechanism}{initial}\r\n".encode(), Verb.AUTH, now)

    def missing_extension(
        self, envelope: Envelope, recipients: Sequence[Recipient], ascii_headers: bool
    ) -> str | None:
        """Return the keyword of an extension that the message needs and the server lacks.

        `ascii_headers` says that SMTPUTF8 is not needed for the header's sake (RFC 6531 §3.4).
        """
        extensions = self.extensions
        if "SMTPUTF8" not in extensions:
            needed = envelope.smtputf8 and not ascii_headers
            if needed or not _all_ascii(envelope, recipients):
                return "SMTPUTF8"
        if envelope.body is _SEVEN_BIT:
            return None
        if envelope.body is _EIGHT_BIT_MIME and "8BITMIME" not in extensions:
            return "8BITMIME"
        if envelope.body is _BINARY_MIME:
            for keyword in ("BINARYMIME", "CHUNKING"):
                if keyword not in extensions:
                    return keyword
        return None

    def mail(
        self,
        envelope: Envelope,
        recipients: Sequence[Recipient],
        size: int,
        now: float,
        *,
        plain: bool = False,
    ) -> None:
        """Begin a transaction: MAIL, a RCPT for each of `recipients`, DATA.

        `size` is the message's, in octets; `plain` vouches that it has neither a bare CR or LF nor a
        line that begins with a dot, and so can be sent unread by DATA. With PIPELINING it may be called
        as soon as ``end`` was, before the answer to the message before. A transaction that failed
        halfway is reset first.
        Raises `LocalProtocolError`, also for addresses that need SMTPUTF8 where it is not offered.
        """
        behind = self._only_ends_awaited()
        if not (behind and self.pipelining and self._stage is _BETWEEN and not self._todo):
            self._check_free(_RSET)
        if self._state in (_GREETED, _CONNECTED):
            raise LocalProtocolError("say hello first")
        if not recipients:
            raise LocalProtocolError("a transaction needs a recipient")
        extensions = self.extensions
        binary = envelope.body is _BINARY_MIME
        utf8 = envelope.smtputf8 or not _all_ascii(envelope, recipients)
        if utf8 or binary:
            missing = self.missing_extension(envelope, recipients, ascii_headers=True)
            if missing in ("SMTPUTF8", "BINARYMIME", "CHUNKING"):
                raise LocalProtocolError(f"the message needs {missing}, which is not offered")
            utf8 = utf8 and "SMTPUTF8" in extensions
        mail = grammar.write_mail(envelope, size, utf8=utf8, extensions=extensions)
        rcpts = [grammar.write_rcpt(each, extensions=extensions) for each in recipients]
        todo = self._todo
        if self._chunking if behind else self._state is not _READY:
            todo.append((b"RSET\r\n", _RSET, QUIET))
        self._chunking = binary or (self._prefer_chunking and "CHUNKING" in extensions)
        self._guard = LineBreakGuard() if self._chunking and not binary else None
        self._writer = PlainWriter() if plain else DotWriter()
        self._piece = b""
        self._accepted = []
        self._refusal = None
        self._mail_refused = self._abandoned = False
        self._stage = _ENVELOPE
        todo.append((mail, _MAIL, None))
        todo.extend([(line, _RCPT, index) for index, line in enumerate(rcpts)])
        if not self._chunking:
            todo.append((b"DATA\r\n", _DATA, None))
        self._flush(now)

    def body(self, chunk: bytes, now: float) -> None:
        """Send a piece of the message; legal after `DataReady`.

        Raises `LocalProtocolError`; where that is for a bare CR or LF, the connection is closing, for
        the message cannot be taken back otherwise.
        """
        if self._abandoned or self.closing:
            return  # the events tell why
        self._check_body()
        if not self._awaited:
            self._since = now
        try:
            if not self._chunking:
                if stuffed := self._writer.feed(chunk):
                    self._out.append(stuffed)
                return
            self._piece += chunk if self._guard is None else self._guard.feed(chunk)
        except BareLineBreak as error:
            self._close()
            raise LocalProtocolError(str(error)) from None
        if len(self._piece) >= _CHUNK_OCTETS:
            self._say_chunk(_BDAT, now)

    def end(self, now: float) -> None:
        """End the message, with a CRLF if it has none at its end. RFC 5321 §4.1.1.4.

        Raises `LocalProtocolError` as ``body`` does.
        """
        if self._abandoned or self.closing:
            return  # the events tell why
        self._check_body()
        last = b""
        try:
            if not self._chunking:
                last = self._writer.finish()
            elif self._guard is not None:
                self._guard.finish()
        except BareLineBreak as error:
            self._close()
            raise LocalProtocolError(str(error)) from None
        self._stage = _BETWEEN
        if self._chunking:
            if self._guard is not None and not self._guard.at_line_start:
                self._piece += b"\r\n"
            self._say_chunk(_BDAT_LAST, now)
        else:
            self._say(last, _END, now)

    def reset(self, now: float) -> None:
        """Say RSET. RFC 5321 §4.1.1.5."""
        self._check_free(_RSET)
        self._say(b"RSET\r\n", _RSET, now)

    def quit(self, now: float) -> None:
        """Say QUIT. RFC 5321 §4.1.1.10."""
        self._check_free(Verb.QUIT)
        self._say(b"QUIT\r\n", Verb.QUIT, now)

    def _forget(self) -> None:
        self.extensions = {}
        self.pipelining = False

    def _check_body(self) -> None:
        if self._stage is not _BODY:
            raise LocalProtocolError("there is no body to send before DataReady")

    def _say_chunk(self, verb: Verb, now: float) -> None:
        """RFC 3030 §2."""
        last = " LAST" if verb is _BDAT_LAST else ""
        piece, self._piece = self._piece, b""
        self._say(f"BDAT {len(piece)}{last}\r\n".encode() + piece, verb, now)

    # What replies bring about

    def _answered(self, verb: Verb, index: int | None, reply: Reply) -> None:
        if index != QUIET:
            _HEARD[verb](self, index, reply)
        elif verb is _END:  # of the lone dot
            self._fail(self._refusal or reply)

    def _hear_unasked(self, reply: Reply) -> None:
        if self._stage is _BODY and reply.code >= 400:
            # Refused before its end. The server may be reading still, or not, so this is the end.
            self._events.extend(EndDone(reply, index) for index in self._end_indexes)
            self._abandoned = True
            self._close()
        else:
            self._lose(f"the server said without being asked: {reply}")

    def _fail(self, reply: Reply) -> None:
        self._events.append(TransactionFailed(reply))
        self._todo.clear()
        self._stage = _BETWEEN

    def _hear_greeting(self, index: int | None, reply: Reply) -> None:
        self._events.append(Greeting(reply))

    def _hear_ehlo(self, index: int | None, reply: Reply) -> None:
        self._forget()
        if reply.permanent and not self._lmtp:
            self._say(grammar.write_hello("HELO", self._hostname), Verb.HELO, self._now)
            return
        if reply.positive:
            self.extensions = read_extensions(reply.lines[1:])
            self.pipelining = "PIPELINING" in self.extensions
        self._events.append(HelloDone(reply))

    def _hear_helo(self, index: int | None, reply: Reply) -> None:
        self._events.append(HelloDone(reply))

    def _hear_starttls(self, index: int | None, reply: Reply) -> None:
        if not reply.positive:
            self._events.append(TlsRefused(reply))
        elif len(self._reader):
            # Somebody in the middle wrote them, to be read as if they came by TLS (RFC 3207 §4.2).
            self._lose("plain text came behind the answer to STARTTLS")
        else:
            self._events.append(TlsReady(reply))

    def _hear_auth(self, index: int | None, reply: Reply) -> None:
        if not reply.intermediate:
            sasl, self._sasl = self._sasl, None
            if reply.positive and (sasl is None or not sasl.satisfied):
                self._lose("the server did not prove that it knows the password")
                return
            self._events.append(AuthDone(reply))
            return
        sasl = self._sasl
        if sasl is None:
            self._lose(f"the server goes on with AUTH after its end: {reply}")
            return
        try:
            challenge = decode_message(reply.text)
        except SaslMalformed:
            challenge = b""  # LOGIN's prompts need not be understood
        answer = sasl.answer(challenge)
        if answer is None:
            self._sasl = None
        said = "*" if answer is None else encode_message(answer)
        self._say(f"{said}\r\n".encode(), Verb.RESPONSE, self._now)

    def _hear_mail(self, index: int | None, reply: Reply) -> None:
        self._events.append(MailDone(reply))
        if not reply.positive:
            self._refusal = reply
            self._mail_refused = True
            if not self._awaited:
                self._fail(reply)

    def _hear_rcpt(self, index: int | None, reply: Reply) -> None:
        # After MAIL was refused, what is said to a pipelined RCPT says nothing about the recipient.
        if not self._mail_refused:
            self._events.append(RcptDone(index or 0, reply))
            if reply.positive:
                self._accepted.append(index or 0)
            else:
                self._refusal = reply
        if self._awaited or (self._todo and self._todo[0][1] is _RCPT):
            return
        if not self._accepted:
            self._fail(self._refusal or reply)
        elif self._chunking:
            self._begin_body()

    def _hear_data(self, index: int | None, reply: Reply) -> None:
        if not reply.intermediate:
            self._fail(reply if self._accepted else self._refusal or reply)
        elif self._accepted:
            self._begin_body()
        elif self._lmtp:  # RFC 2033 §4.2: no recipient, no reply
            self._out.append(b".\r\n")
            self._state = _READY
            self._fail(self._refusal or reply)
        else:  # RFC 2920 §3.1: nobody gets it, but the server waits for it
            self._say(b".\r\n", _END, self._now, QUIET)

    def _begin_body(self) -> None:
        self._end_indexes = tuple(self._accepted) if self._lmtp else (None,)
        self._stage = _BODY
        self._events.append(DataReady())

    def _hear_end(self, index: int | None, reply: Reply) -> None:
        self._events.append(EndDone(reply, index))

    def _hear_chunk(self, index: int | None, reply: Reply) -> None:
        if reply.positive:
            return
        self._events.extend(EndDone(reply, index) for index in self._end_indexes)
        self._abandoned = self._stage is _BODY
        self._stage = _BETWEEN
        self._todo.clear()
        quiet = [(verb, QUIET) for verb, _ in self._awaited]
        self._awaited.clear()
        self._awaited.extend(quiet)

    def _hear_reset(self, index: int | None, reply: Reply) -> None:
        self._events.append(ResetDone(reply))

    def _hear_quit(self, index: int | None, reply: Reply) -> None:
        self._events.append(QuitDone(reply))
        self._close()


def _all_ascii(envelope: Envelope, recipients: Sequence[Recipient]) -> bool:
    sender = envelope.sender
    if sender is not None and not sender.local_part.isascii():
        return False
    for each in recipients:  # noqa: SIM110 - a generator costs as much as all the rest
        if not each.address.local_part.isascii():
            return False
    return True


_HEARD: dict[Verb, Callable[[SMTPClient, int | None, Reply], None]] = {
    Verb.OPEN: SMTPClient._hear_greeting,
    Verb.EHLO: SMTPClient._hear_ehlo,
    Verb.HELO: SMTPClient._hear_helo,
    Verb.STARTTLS: SMTPClient._hear_starttls,
    Verb.AUTH: SMTPClient._hear_auth,
    Verb.RESPONSE: SMTPClient._hear_auth,
    Verb.MAIL: SMTPClient._hear_mail,
    Verb.RCPT: SMTPClient._hear_rcpt,
    Verb.DATA: SMTPClient._hear_data,
    Verb.END: SMTPClient._hear_end,
    Verb.BDAT: SMTPClient._hear_chunk,
    Verb.BDAT_LAST: SMTPClient._hear_end,
    Verb.RSET: SMTPClient._hear_reset,
    Verb.QUIT: SMTPClient._hear_quit,
}
