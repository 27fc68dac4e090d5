"""Logging in: by password, by proof of knowing one, or by a token.

Unknown users cost the same time and get the same words as wrong passwords. Guessing is throttled, see
`service.throttle`. Every login is noted, good or bad, see `service.logins`.
"""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias

from msgspec import Struct

from postroad.model import (
    Account,
    Address,
    AppPassword,
    InvalidAddress,
    Login,
    LoginResult,
    Scope,
    ScramKeys,
)
from postroad.ports import Clock, Directory, TokenVerifier
from postroad.service.logins import LoginBook
from postroad.service.passwords import MAX_PASSWORD_OCTETS, Passwords
from postroad.service.throttle import Attempt, Throttle, Throttled, ThrottleSettings

MAX_NAME_LETTERS = 320
OWN_TOKEN = "pra_"


class AuthenticatorSettings(ThrottleSettings, frozen=True, kw_only=True):
    """How guessing is slowed down, and how long a login that succeeded is remembered, as a keyed hash
    in memory, so that polling clients cost no argon2 each time.
    """

    remember_seconds: float = 300.0
    max_remembered: int = 10_000


class Visit(Struct, frozen=True):
    """Who wants to log in from where: `client` is an IP address, `server` the kind of server, and
    `scope` what an app password must be good for there; None where none is, but a second factor is asked
    for.
    """

    client: str
    server: str
    scope: Scope | None
    mechanism: str


Then: TypeAlias = Callable[[Account], Awaitable[LoginResult]]
"""What else is asked of somebody whose password is right."""


class CodeWanted(Exception):
    """The password is right; a code of the second factor is wanted with it."""


class GrantedTokens(Protocol):
    """Judges access tokens of our own. See `service.grants`."""

    async def account_of(self, token: str, scope: Scope | None) -> Account | None:
        """Return the account that a token speaks for, None where it is no good for `scope`."""


class ScramOffer(Struct, frozen=True):
    """What a client may prove to know: keys of all passwords that would let it in, and for each the
    app password or None for the account's own. `account` is None where the keys are made up.
    """

    name: str
    keys: Sequence[ScramKeys]
    passwords: Sequence[AppPassword | None]
    account: Account | None


class Authenticator:
    """Verifies logins for all servers of a process.

    `secret` is the store's; `tokens` judges bearer tokens of others, None where none are taken, and
    `grants` those of our own, which begin with `OWN_TOKEN`.
    """

    def __init__(
        self,
        *,
        directory: Directory,
        clock: Clock,
        passwords: Passwords,
        secret: bytes,
        book: LoginBook,
        tokens: TokenVerifier | None = None,
        grants: GrantedTokens | None = None,
        settings: AuthenticatorSettings | None = None,
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._passwords = passwords
        self._secret = secret
        self._book = book
        self._tokens = tokens
        self._grants = grants
        self._settings = settings or AuthenticatorSettings()
        self._throttle = Throttle(clock, self._settings)
        self._remembered: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._key = secrets.token_bytes(32)

    async def verify(
        self, username: str, password: str, visit: Visit, then: Then | None = None
    ) -> Account | None:
        """Return the account that may log in with this password, its own or an app password, or None.

        `username` is the account's address. `then` judges the second factor of an account that has one.
        Raises `Throttled` without looking at the password, and `CodeWanted`.
        """
        name = folded(username)
        with await self._attempt(name, visit):
            return await self._judge_password(name, username, password, visit, then)

    async def verify_otherwise(
        self, visit: Visit, judge: Callable[[], Awaitable[Account | None]]
    ) -> Account | None:
        """Return the account that `judge` recognises, by something that nobody guesses, or None. Raises
        `Throttled`, and what `judge` raises.
        """
        with await self._attempt("", visit):
            account = await judge()
            if account is None:
                self._turn_away("", visit, LoginResult.WRONG)
                return None
            name = account.address.folded
            if not account.enabled:
                self._turn_away(name, visit, LoginResult.DISABLED)
                return None
            return self._let_in(name, visit, account)

    async def _judge_password(
        self, name: str, username: str, password: str, visit: Visit, then: Then | None
    ) -> Account | None:
        account = await self._account(username)
        if len(password.encode()) > MAX_PASSWORD_OCTETS:
            account, password = None, ""
        if account is not None and account.enabled and self._is_remembered(account, password):
            return await self._own(name, visit, account, then)
        if account is not None and account.enabled:
            app_password = await self._app_password(account, password)
            if app_password is not None:
                if visit.scope not in app_password.scopes:
                    self._turn_away(name, visit, LoginResult.OUT_OF_SCOPE, app_password)
                    return None
                return self._let_in(name, visit, account, app_password)
        encoded = None if account is None else account.password_hash
        right = await self._passwords.matches(encoded, password)
        if account is None or not right:
            self._turn_away(name, visit, LoginResult.WRONG)
            return None
        if not account.enabled:
            self._turn_away(name, visit, LoginResult.DISABLED)
            return None
        self._remember(account, password)
        return await self._own(name, visit, account, then)

    async def _own(
        self, name: str, visit: Visit, account: Account, then: Then | None
    ) -> Account | None:
        """The account's own password is right: see whether that is enough."""
        if not account.second_factor:
            return self._let_in(name, visit, account)
        if visit.scope is not None or then is None:
            # A program cannot be asked for a code: it has an app password or a token.
            self._turn_away(name, visit, LoginResult.OUT_OF_SCOPE)
            return None
        try:
            result = await then(account)
        except Throttled:
            self._note(name, visit, LoginResult.THROTTLED)
            raise
        if result is LoginResult.OK:
            return self._let_in(name, visit, account)
        if result is LoginResult.CODE_WANTED:
            self._note(name, visit, result)
            raise CodeWanted
        self._turn_away(name, visit, result)
        return None

    async def scram_offer(self, username: str, visit: Visit) -> ScramOffer:
        """Return what a client that calls itself so may prove, real or made up. Raises `Throttled`."""
        name = folded(username)
        await self._admit(name, visit)
        account = await self._account(username)
        fake = self._passwords.fake_scram_keys(self._secret, name)
        if account is None or not account.enabled:
            return ScramOffer(name, (fake,), (None,), None)
        candidates: list[tuple[ScramKeys, AppPassword | None]] = [
            (each.scram, each)
            for each in await self._directory.app_passwords(account.id)
            if visit.scope in each.scopes
        ]
        if account.scram is not None and not account.second_factor:
            candidates.insert(0, (account.scram, None))
        # A client gets one salt and count; keys of another, from a store with another secret, are out.
        first = candidates[0][0] if candidates else fake
        fitting = [
            (keys, which)
            for keys, which in candidates
            if (keys.salt, keys.iterations) == (first.salt, first.iterations)
        ]
        if not fitting:
            return ScramOffer(name, (fake,), (None,), None)
        keys, which = zip(*fitting, strict=True)
        return ScramOffer(name, keys, which, account)

    async def scram_attempt(self, offer: ScramOffer, visit: Visit) -> Attempt:
        """Let a proof be judged when it is its turn: within what is returned, `scram_proven` or
        `scram_failed` is told what came of it. Raises `Throttled`.
        """
        return await self._turn(offer.name, visit)

    def scram_proven(self, offer: ScramOffer, which: int, visit: Visit) -> Account | None:
        """The client has the password of the keys at `which`: return the account."""
        if offer.account is None:
            self._turn_away(offer.name, visit, LoginResult.WRONG)
            return None
        return self._let_in(offer.name, visit, offer.account, offer.passwords[which])

    def scram_failed(self, offer: ScramOffer, visit: Visit) -> None:
        """The client could not prove what it was offered to."""
        self._turn_away(offer.name, visit, LoginResult.WRONG)

    async def verify_token(self, username: str, token: str, visit: Visit) -> Account | None:
        """Return the account that a bearer token speaks for, or None; `username` is ``""`` or must be
        that account's address. Raises `Throttled` without looking at the token, and `TokensUnjudged`,
        which is nobody's failure.
        """
        name = folded(username)
        with await self._attempt(name, visit):
            return await self._judge_token(name, token, visit)

    async def _judge_token(self, name: str, token: str, visit: Visit) -> Account | None:
        if token.startswith(OWN_TOKEN):
            found = None
            if self._grants is not None:
                found = await self._grants.account_of(token, visit.scope)
            user = None if found is None else str(found.address)
        else:
            user = None if self._tokens is None else await self._tokens.user(token)
        if user is None or (name and folded(user) != name):
            self._turn_away(name, visit, LoginResult.WRONG)
            return None
        account = await self._account(user)
        if account is None:
            self._turn_away(folded(user), visit, LoginResult.WRONG)
            return None
        if not account.enabled:
            self._turn_away(folded(user), visit, LoginResult.DISABLED)
            return None
        return self._let_in(folded(user), visit, account)

    async def _admit(self, name: str, visit: Visit) -> None:
        try:
            await self._throttle.admit(visit.client, name)
        except Throttled:
            self._note(name, visit, LoginResult.THROTTLED)
            raise

    async def _attempt(self, name: str, visit: Visit) -> Attempt:
        await self._admit(name, visit)
        return await self._turn(name, visit)

    async def _turn(self, name: str, visit: Visit) -> Attempt:
        try:
            return await self._throttle.attempt(visit.client, name)
        except Throttled:
            self._note(name, visit, LoginResult.THROTTLED)
            raise

    async def _account(self, username: str) -> Account | None:
        try:
            return await self._directory.account(Address.parse(username.strip()))
        except InvalidAddress:
            return None

    async def _app_password(self, account: Account, password: str) -> AppPassword | None:
        digest = hashlib.sha256(password.encode()).digest()
        for each in await self._directory.app_passwords(account.id):
            if hmac.compare_digest(each.digest, digest):
                return each
        return None

    def _let_in(
        self, name: str, visit: Visit, account: Account, app_password: AppPassword | None = None
    ) -> Account:
        self._throttle.succeeded(visit.client, name)
        self._note(name, visit, LoginResult.OK, app_password)
        return account

    def _turn_away(
        self,
        name: str,
        visit: Visit,
        result: LoginResult,
        app_password: AppPassword | None = None,
    ) -> None:
        self._throttle.failed(visit.client, name)
        self._note(name, visit, result, app_password)

    def _note(
        self,
        name: str,
        visit: Visit,
        result: LoginResult,
        app_password: AppPassword | None = None,
    ) -> None:
        now = self._clock.now()
        used = app_password if result is LoginResult.OK else None
        self._book.record(
            Login(
                at=now,
                last_at=now,
                username=name,
                result=result,
                mechanism=visit.mechanism,
                server=visit.server,
                client=visit.client,
                app_password=app_password.name if app_password is not None else "",
            ),
            None if used is None else used.id,
        )

    def _digest(self, account: Account, password: str) -> bytes:
        # The stored hash is part of it: a changed password forgets the old one at once.
        text = f"{account.id}\0{account.password_hash}\0{password}".encode()
        return hmac.digest(self._key, text, hashlib.sha256)

    def _is_remembered(self, account: Account, password: str) -> bool:
        known = self._remembered.get(str(account.address))
        if known is None or known[1] < self._clock.monotonic():
            return False
        return hmac.compare_digest(known[0], self._digest(account, password))

    def _remember(self, account: Account, password: str) -> None:
        until = self._clock.monotonic() + self._settings.remember_seconds
        self._remembered[str(account.address)] = (self._digest(account, password), until)
        while len(self._remembered) > self._settings.max_remembered:
            self._remembered.popitem(last=False)


def folded(username: str) -> str:
    """Return the name that a login is counted and noted by: as addresses are compared, bounded, and
    without what cannot be shown.
    """
    try:
        return Address.parse(username.strip()).folded
    except InvalidAddress:
        name = username.strip().lower()[:MAX_NAME_LETTERS]
        return "".join(letter if letter.isprintable() else "?" for letter in name)
