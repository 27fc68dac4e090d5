"""Submission, MX and local submission: the SMTP machine joined to the intake.

One class for all, since they are one protocol; `SMTPService` says what differs: who may relay, whether
one has to log in, what is limited. Unknown recipients are refused at RCPT, so that we never have to
return mail to forged senders. A client that asks for many unknown recipients is slowed, then cut.
"""

import asyncio
import pwd
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from msgspec import Struct

from postroad.model import (
    Account,
    Address,
    Envelope,
    Origin,
    Recipient,
    Reply,
    Scope,
    ServerKind,
)
from postroad.policy import (
    NOTHING,
    Connected,
    Decision,
    MailFrom,
    Policy,
    RcptTo,
)
from postroad.ports import StorageError, TokensUnjudged
from postroad.servers.connection import Connection
from postroad.servers.registry import Registry
from postroad.service.authenticate import Visit
from postroad.service.intake import Incoming, Intake
from postroad.service.login import SaslLogin, SaslLogins
from postroad.service.recipients import Accepted, Target
from postroad.service.throttle import Throttled
from postroad.wire.sasl import PLUS, Challenge, SaslMalformed
from postroad.wire.smtp import (
    Auth,
    AuthResponse,
    Closed,
    DataAborted,
    DataBegin,
    DataChunk,
    DataEnd,
    Hello,
    Mail,
    Opened,
    Rcpt,
    Reset,
    ServerConfig,
    ServerEvent,
    SMTPServer,
    StartTls,
    Verify,
)
from postroad.wire.smtp.hold import refusal_of_hold, write_offer

log = structlog.get_logger("postroad.servers.smtp")

_GO_ON = Reply(354, "", "End data with <CR><LF>.<CR><LF>")
_OK = Reply(250, "2.1.0", "Ok")
_RECIPIENT_OK = Reply(250, "2.1.5", "Ok")
_READY_FOR_TLS = Reply(220, "2.0.0", "Ready to start TLS")
_RELAY_DENIED = Reply(
    550, "5.7.1", "Relaying denied: not a local domain, and you are not logged in"
)
_LOGGED_IN = Reply(235, "2.7.0", "Authentication succeeded")
_BAD_LOGIN = Reply(535, "5.7.8", "Authentication failed: wrong address or password")
_LOGIN_LATER = Reply(454, "4.7.0", "Temporary authentication failure, try again later")
_NOT_VERIFIED = Reply(252, "2.0.0", "Not verified here; send mail and see")
_TOO_MANY_UNKNOWN = Reply(421, "4.7.0", "Too many unknown recipients, closing")


class SMTPLimits(Struct, frozen=True):
    """What a client may try: after `free_refusals` recipients refused for good (5xx) each further one
    waits `tarpit_seconds`; after `max_refusals` the connection is closed. A failed login waits
    `login_failure_seconds`; `max_login_failures` close the connection.
    """

    free_refusals: int = 5
    max_refusals: int = 20
    tarpit_seconds: float = 1.0
    login_failure_seconds: float = 1.0
    max_login_failures: int = 3


class SMTPService(Struct, frozen=True):
    """What one kind of SMTP server is made of; shared by all its connections.

    `tls` gives the context for STARTTLS, None where there is none, and `binding` the certificate's
    binding for SCRAM-SHA-256-PLUS. `check_sender` demands of logged-in
    clients that the sender's mail would come to their own account.
    """

    kind: ServerKind
    machine: ServerConfig
    intake: Intake
    logins: SaslLogins
    policy: Policy
    tls: Callable[[], ssl.SSLContext] | None = None
    binding: bytes | None = None
    limits: SMTPLimits = SMTPLimits()
    check_sender: bool = True
    greeting: str = "Postroad"


class SMTPConnection(Connection[SMTPServer]):
    """One SMTP client."""

    whole_answers = True

    def __init__(
        self, service: SMTPService, registry: Registry, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(registry, loop)
        self._service = service
        self._account: Account | None = None
        self._origin: Origin | None = None
        self._origin_utf8 = False
        self._accepted: list[Accepted] = []
        self._incoming: Incoming | None = None
        self._decided = NOTHING  # of the connection
        self._decision = NOTHING  # of the connection and the transaction
        self._refusals = 0
        self._login: SaslLogin | None = None
        self._login_failures = 0
        self._local_user: str | None = None

    def open(self, now: float, secure: bool) -> SMTPServer:
        """Return the machine; a client on our UNIX socket is known by its user id."""
        if self._service.kind is ServerKind.LOCAL:
            self._local_user = peer_user(self.transport)
        return SMTPServer(self._service.machine, now, secure=secure)

    def refusal(self, reason: str) -> bytes:
        """Return the 421 that a client gets which is not admitted."""
        return Reply(421, "", f"{self._service.machine.hostname} {reason}").to_bytes()

    def server_tls(self) -> ssl.SSLContext:
        """Return the context for STARTTLS."""
        assert self._service.tls is not None, "STARTTLS is offered only with a certificate"
        return self._service.tls()

    def lost(self) -> None:
        """Discard an unfinished message."""
        self._forget_transaction()

    def handle(self, event: ServerEvent) -> Awaitable[None] | None:
        """Answer one event; what most messages consist of never waits but for recipients and commit."""
        return _HANDLERS[type(event)](self, event)

    async def _reply(self, answer: Awaitable[Reply]) -> None:
        self.machine.reply(await answer)

    def _on_opened(self, event: Opened) -> Awaitable[None]:
        return self._reply(self._opened())

    async def _opened(self) -> Reply:
        if self._service.policy.has(Connected):
            decision = await self._service.policy.ask(Connected(self._from()))
            if decision.refused is not None:
                self._note_refusal("connection refused", decision)
                return decision.refused.reply
            self._decided = self._decision = decision
        name = self._service.machine.hostname
        return Reply(220, "", f"{name} ESMTP {self._service.greeting}")

    def _on_hello(self, event: Hello) -> None:
        self._forget_transaction()
        self._origin = None
        told = self._service.machine
        text = told.hostname
        if told.hold_max_seconds:
            offer = write_offer(told.hold_max_seconds, self._service.intake.clock.now())
            text = f"{text}\n{offer}"
        self.machine.reply(Reply(250, "", text))

    async def _on_starttls(self, event: StartTls) -> None:
        self.machine.reply(_READY_FOR_TLS)
        self._forget_transaction()
        self._account = self._origin = None
        await self.upgrade()

    def _on_verify(self, event: Verify) -> None:
        self.machine.reply(_NOT_VERIFIED)

    def _on_mail(self, event: Mail) -> Awaitable[None] | None:
        self._forget_transaction()
        if event.envelope.hold_until is not None:
            service = self._service
            now, most = service.intake.clock.now(), service.machine.hold_max_seconds
            refusal = refusal_of_hold(event.envelope.hold_until, now, most)
            if refusal is not None:
                self.machine.reply(refusal)
                return None
        if self._account is not None or self._service.policy.has(MailFrom):
            return self._reply(self._mail(event.envelope))
        self.machine.reply(_OK)
        return None

    async def _mail(self, envelope: Envelope) -> Reply:
        if self._account is not None and self._service.check_sender and envelope.sender is not None:
            refusal = await self._sender_refused(envelope.sender, self._account)
            if refusal is not None:
                return refusal
        if self._service.policy.has(MailFrom):
            facts = self._decided.facts
            decision = await self._service.policy.ask(MailFrom(self._from(), envelope, facts=facts))
            if decision.refused is not None:
                self._note_refusal("sender refused", decision, sender=str(envelope.sender or "<>"))
                return decision.refused.reply
            self._decision = self._decided.plus(decision)
        return _OK

    def _on_rcpt(self, event: Rcpt) -> Awaitable[None] | None:
        recipient = event.recipient
        service = self._service
        targets = service.intake.recipients.remembered(recipient.address)
        if (
            targets is None
            or service.intake.quotas.active
            or service.policy.has(RcptTo)
            or not self._takes(recipient, targets)
        ):
            return self._reply(self._rcpt(recipient))
        self._accepted.append(Accepted(recipient, targets))
        self.machine.reply(_RECIPIENT_OK)
        return None

    def _takes(self, recipient: Recipient, targets: tuple[Target, ...]) -> bool:
        """An alias may lead outside; what the client itself named must be ours unless it logged in."""
        first = targets[0]
        return first.is_ours or self._may_relay or first.address != recipient.address

    async def _rcpt(self, recipient: Recipient) -> Reply:
        service = self._service
        address = recipient.address
        targets = await service.intake.recipients.resolve(address)
        if isinstance(targets, Reply):
            return await self._refuse_recipient(targets)
        if not self._takes(recipient, targets):
            return await self._refuse_recipient(_RELAY_DENIED)
        quarantined = False
        if service.policy.has(RcptTo):
            decision = await service.policy.ask(
                RcptTo(self._from(), self._envelope(), address, facts=self._decision.facts)
            )
            refused, quarantined = decision.refused, decision.quarantined
            # What was said of one recipient is told in the journey, if others are taken.
            self._decision = self._decision.plus(decision.without_verdict())
            if refused is not None:
                self._note_refusal("recipient refused", decision, recipient=str(address))
                return await self._refuse_recipient(refused.reply)
            if quarantined:
                accepted = Accepted(recipient, targets, quarantined)
                reply = service.intake.refuses(accepted, self._from())
                if reply is not None:
                    self._note_refusal("recipient refused", decision, recipient=str(address))
                    return await self._refuse_recipient(reply)
        if service.intake.quotas.active:
            full = await service.intake.too_much(targets, self._envelope().size or 0)
            if full is not None:
                return await self._refuse_recipient(full)
        self._accepted.append(Accepted(recipient, targets, quarantined))
        return _RECIPIENT_OK

    async def _refuse_recipient(self, reply: Reply) -> Reply:
        """Harvesters ask for many: each refusal past the free ones costs time, then the connection.

        Who may come again with the same recipient (greylisting, a rate) is no harvester.
        """
        if not reply.permanent:
            return reply
        self._refusals += 1
        limits = self._service.limits
        if self._refusals >= limits.max_refusals:
            log.warning("too many refused recipients", peer=self.peer, refusals=self._refusals)
            return _TOO_MANY_UNKNOWN
        if self._refusals > limits.free_refusals:
            await asyncio.sleep(limits.tarpit_seconds)
        return reply

    def _on_data_begin(self, event: DataBegin) -> None:
        self._incoming = self._service.intake.begin(
            self._envelope(), self._accepted, self._from(), self._decision
        )
        self.machine.reply(_GO_ON)

    def _on_chunk(self, event: DataChunk) -> None:
        if self._incoming is not None:
            self._incoming.write(event.data)

    async def _on_data_end(self, event: DataEnd) -> None:
        incoming, self._incoming = self._incoming, None
        self._decision = self._decided
        assert incoming is not None, "the machine ends only what began"
        self._accepted = []
        self.machine.reply(await incoming.finish(plain=event.plain))

    def _on_auth(self, event: Auth) -> Awaitable[None]:
        service = self._service
        visit = Visit(self.peer, service.kind.value, Scope.SMTP, event.mechanism)
        self._login = service.logins.begin(
            visit, plus_offered=PLUS in service.machine.auth, binding=service.binding
        )
        return self._log_in(self._login, event.initial)

    def _on_auth_response(self, event: AuthResponse) -> Awaitable[None]:
        assert self._login is not None, "the machine lets a response only follow AUTH"
        return self._log_in(self._login, event.response)

    async def _log_in(self, login: SaslLogin, message: bytes | None) -> None:
        machine = self.machine
        try:
            outcome = await login.step(message)
        except SaslMalformed as error:
            machine.reply(Reply(501, "5.5.2", _sentence(error)))
        except Throttled as throttled:
            log.warning("login throttled", peer=self.peer, user=login.username)
            text = f"Too many failed logins, try again in {throttled.seconds:.0f} seconds"
            machine.reply(Reply(454, "4.7.0", text))
        except (StorageError, TokensUnjudged) as error:
            log.error("login not looked up", peer=self.peer, error=str(error))
            machine.reply(_LOGIN_LATER)
        else:
            if isinstance(outcome, Challenge):
                machine.challenge(outcome.data)
            elif outcome is None:
                await self._login_failed(login.username)
            else:
                self._account = outcome
                self._origin = None
                machine.reply(_LOGGED_IN)

    async def _login_failed(self, username: str) -> None:
        self._login_failures += 1
        limits = self._service.limits
        log.warning("login failed", peer=self.peer, user=username, failures=self._login_failures)
        await asyncio.sleep(limits.login_failure_seconds)
        if self._login_failures >= limits.max_login_failures:
            self.machine.reply(Reply(421, "4.7.0", "Too many failed logins, closing"))
        else:
            self.machine.reply(_BAD_LOGIN)

    async def _sender_refused(self, sender: Address, account: Account) -> Reply | None:
        if sender == account.address:
            return None
        targets = await self._service.intake.recipients.resolve(sender)
        if not isinstance(targets, Reply) and any(
            target.mailbox == account.inbox for target in targets
        ):
            return None
        return Reply(553, "5.7.1", f"<{sender}> is not an address of {account.address}")

    def _note_refusal(self, event: str, decision: Decision, **words: str) -> None:
        """A refusal has no journey, since there is no message; so the log has it."""
        ruling = decision.rulings[-1]
        log.info(event, peer=self.peer, check=ruling.check, reason=ruling.reason, **words)

    @property
    def _may_relay(self) -> bool:
        return self._account is not None or self._local_user is not None

    def _envelope(self) -> Envelope:
        envelope = self.machine.envelope
        assert envelope is not None, "the machine lets RCPT and DATA only follow MAIL"
        return envelope

    def _from(self) -> Origin:
        """Where messages of this session come from; made once per session state."""
        machine = self.machine
        utf8 = machine.smtputf8
        if self._origin is None or utf8 is not self._origin_utf8:
            self._origin_utf8 = utf8
            account = str(self._account.address) if self._account else self._local_user
            self._origin = Origin(
                server=self._service.kind,
                client=self.peer,
                helo=machine.hello_name,
                protocol=_protocol(
                    machine.extended, utf8, self.tls is not None, account is not None
                ),
                tls=self.tls,
                account=account,
            )
        return self._origin

    def _on_end(self, event: DataAborted | Reset | Closed) -> None:
        self._forget_transaction()

    def _forget_transaction(self) -> None:
        if self._incoming is not None:
            self._incoming.discard()
            self._incoming = None
        self._accepted = []
        self._decision = self._decided


_HANDLERS: dict[type[ServerEvent], Callable[[SMTPConnection, Any], Awaitable[None] | None]] = {
    Opened: SMTPConnection._on_opened,
    Hello: SMTPConnection._on_hello,
    StartTls: SMTPConnection._on_starttls,
    Auth: SMTPConnection._on_auth,
    AuthResponse: SMTPConnection._on_auth_response,
    Verify: SMTPConnection._on_verify,
    Mail: SMTPConnection._on_mail,
    Rcpt: SMTPConnection._on_rcpt,
    DataBegin: SMTPConnection._on_data_begin,
    DataChunk: SMTPConnection._on_chunk,
    DataEnd: SMTPConnection._on_data_end,
    DataAborted: SMTPConnection._on_end,
    Reset: SMTPConnection._on_end,
    Closed: SMTPConnection._on_end,
}


def _protocol(extended: bool, utf8: bool, secure: bool, authenticated: bool) -> str:
    """RFC 3848, RFC 6531 §4.3: the word after ``with`` in Received."""
    if not extended:
        return "SMTP"
    kind = "UTF8SMTP" if utf8 else "ESMTP"
    return f"{kind}{'S' if secure else ''}{'A' if authenticated else ''}"


def _sentence(error: Exception) -> str:
    text = str(error)
    return text[:1].upper() + text[1:]


def peer_user(transport: asyncio.BaseTransport) -> str:
    """Return the name (or number) of the user at the other end of a UNIX socket."""
    connection = transport.get_extra_info("socket")
    size = struct.calcsize("3i")
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    _, uid, _ = struct.unpack("3i", credentials)
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
