"""POP3: the machine joined to logins and maildrops.

A maildrop is locked from the login to the end of the connection, however that comes about. Messages are
deleted when QUIT was answered by a commit and the client was still there to have said it.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable

import structlog
from msgspec import Struct

from postroad.mailbox import EntryGone, MailboxGone, MailboxInUse, Maildrop
from postroad.model import Account, Scope
from postroad.ports import StorageError, TokensUnjudged
from postroad.servers.connection import Connection
from postroad.servers.registry import Registry
from postroad.service.authenticate import Visit
from postroad.service.login import SaslLogin, SaslLogins
from postroad.service.maildrops import LoginTooSoon, Maildrops
from postroad.service.throttle import Throttled
from postroad.wire.pop3 import (
    Auth,
    AuthResponse,
    Closed,
    Commit,
    Login,
    Opened,
    POP3Server,
    ResponseCode,
    Retrieve,
    ServerConfig,
    StartTls,
)
from postroad.wire.sasl import PLUS, Challenge, SaslMalformed

log = structlog.get_logger("postroad.servers.pop3")

SERVER = "pop3"
"""What the journey of logins calls this server."""

TURNS_BEFORE_COMMIT = 3
"""Turns of the event loop in which a broken connection shows, before messages are deleted: a client
that pipelined QUIT and then broke off may not have what it asked for before.
"""


class POP3Service(Struct, frozen=True):
    """What a POP3 server is made of; shared by all its connections.

    `tls` gives the context for STLS, None where there is none, and `binding` the certificate's binding
    for SCRAM-SHA-256-PLUS. A failed login waits
    `login_failure_seconds` for its answer.
    """

    machine: ServerConfig
    logins: SaslLogins
    maildrops: Maildrops
    tls: Callable[[], ssl.SSLContext] | None = None
    binding: bytes | None = None
    login_failure_seconds: float = 1.0


class POP3Connection(Connection[POP3Server]):
    """One POP3 client."""

    def __init__(
        self, service: POP3Service, registry: Registry, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(registry, loop)
        self._service = service
        self._maildrop: Maildrop | None = None
        self._user = ""
        self._login: SaslLogin | None = None

    def open(self, now: float, secure: bool) -> POP3Server:
        """Return the machine."""
        return POP3Server(self._service.machine, now, secure=secure)

    def refusal(self, reason: str) -> bytes:
        """Return what a client gets instead of a greeting which is not admitted."""
        return f"-ERR [SYS/TEMP] {reason}\r\n".encode()

    def server_tls(self) -> ssl.SSLContext:
        """Return the context for STLS."""
        assert self._service.tls is not None, "STLS is offered only with a certificate"
        return self._service.tls()

    def lost(self) -> None:
        """Let go of the maildrop; without QUIT nothing was deleted."""
        if self._maildrop is not None:
            self._maildrop.close()
            self._maildrop = None

    @property
    def whole_answers(self) -> bool:
        """Long answers come in pieces, and hold back what follows."""
        return not self.machine.full

    def handle(self, event: object) -> Awaitable[None] | None:
        """Answer one event."""
        match event:
            case Closed():
                if self._user:
                    log.info("pop3 session ended", user=self._user, reason=event.reason)
                self.lost()
            case _ if self.gone:
                # Who did not get what came before QUIT did not mean QUIT.
                self.machine.abandon()
            case Retrieve():
                return self._retrieve(event)
            case Commit():
                return self._commit(event)
            case Login():
                visit = Visit(self.peer, SERVER, Scope.POP3, "USER")
                verified = self._service.logins.verify(event.username, event.password, visit)
                return self._log_in(verified, lambda: event.username)
            case Auth():
                return self._begin_login(event)
            case AuthResponse():
                assert self._login is not None, "the machine lets a response only follow AUTH"
                return self._step(self._login, event.response)
            case Opened():
                self.machine.welcome()
            case StartTls():
                self.machine.start_tls()
                return self.upgrade()
            case _:
                raise AssertionError(f"no handler for {event!r}")
        return None

    def waited(self) -> None:
        """While our answer was being made and read the client was not idle."""
        self.machine.touch(self._loop.time())

    async def _begin_login(self, event: Auth) -> None:
        service = self._service
        visit = Visit(self.peer, SERVER, Scope.POP3, event.mechanism)
        self._login = service.logins.begin(
            visit, plus_offered=PLUS in service.machine.mechanisms, binding=service.binding
        )
        await self._step(self._login, event.initial)

    async def _step(self, login: SaslLogin, message: bytes | None) -> None:
        await self._log_in(login.step(message), lambda: login.username)

    async def _log_in(
        self,
        outcome: Awaitable[Challenge | Account | None],
        username: Callable[[], str],
    ) -> None:
        """Answer a login by what comes of it: a challenge, the maildrop, or why not."""
        machine = self.machine
        service = self._service
        try:
            account = await outcome
            if isinstance(account, Challenge):
                machine.challenge(account.data)
                return
            if account is None:
                log.warning("login failed", peer=self.peer, user=username())
                await asyncio.sleep(service.login_failure_seconds)
                machine.refuse("wrong address or password", ResponseCode.AUTH)
                return
            self._maildrop = await service.maildrops.open(account)
        except SaslMalformed as error:
            machine.refuse(str(error))
        except Throttled as throttled:
            log.warning("login throttled", peer=self.peer, user=username())
            text = f"too many failed logins, try again in {throttled.seconds:.0f} seconds"
            machine.refuse(text, ResponseCode.SYS_TEMP)
        except LoginTooSoon as soon:
            text = f"you were here a moment ago, come again in {soon.seconds:.0f} seconds"
            machine.refuse(text, ResponseCode.LOGIN_DELAY)
        except MailboxInUse:
            machine.refuse("another session has this mailbox open", ResponseCode.IN_USE)
        except MailboxGone:
            log.error("account without its mailbox", user=username())
            machine.refuse("this account has no mailbox", ResponseCode.SYS_PERM)
        except TokensUnjudged as error:
            log.error("login not looked up", user=username(), error=str(error))
            machine.refuse("logins cannot be looked up now", ResponseCode.SYS_TEMP)
        except StorageError as error:
            log.error("maildrop not opened", user=username(), error=str(error))
            machine.refuse("the mailbox cannot be read now", ResponseCode.SYS_TEMP)
        else:
            self._user = username()
            machine.logged_in(self._maildrop.listing)

    async def _retrieve(self, event: Retrieve) -> None:
        machine, maildrop = self.machine, self._maildrop
        assert maildrop is not None, "the machine lets RETR only follow a login"
        index = event.index
        try:
            if not maildrop.is_large(index):
                machine.supply(await maildrop.read_ahead(index))
                return
            piece = await maildrop.read_piece(index, 0)
        except StorageError as error:
            log.error("message not read", user=self._user, error=str(error))
            what = "is no longer there" if isinstance(error, EntryGone) else "cannot be read now"
            machine.refuse(f"message {index + 1} {what}", ResponseCode.SYS_TEMP)
            return
        try:
            await self._send_pieces(maildrop, index, piece)
        except StorageError as error:
            # The client has a part of it; only the end of the connection tells that the rest is missing.
            log.error("message cut short", user=self._user, error=str(error))
            machine.abandon("message cut short")

    async def _send_pieces(self, maildrop: Maildrop, index: int, piece: bytes) -> None:
        machine = self.machine
        size = maildrop.size(index)
        offset = 0
        while machine.body(piece):
            offset += len(piece)
            if offset >= size:
                break
            await self.flush()
            if self.gone:
                machine.abandon()
                return
            piece = await maildrop.read_piece(index, offset)
        machine.end_body()

    async def _commit(self, event: Commit) -> None:
        maildrop = self._maildrop
        assert maildrop is not None, "the machine commits only what was opened"
        if event.deleted:
            await self.flush()
            for _ in range(TURNS_BEFORE_COMMIT):
                await asyncio.sleep(0)
            if self.gone:
                self.machine.abandon()
                return
        try:
            await maildrop.commit(event.deleted)
        except StorageError as error:
            log.error("messages not removed", user=self._user, error=str(error))
            self.machine.refuse("messages were not removed, try again", ResponseCode.SYS_TEMP)
            return
        if event.deleted:
            log.info("messages removed", user=self._user, messages=len(event.deleted))
        self.machine.committed()
