"""What owners of accounts allow programs (OAuth 2.0): codes, and the tokens that they are turned into.

Programs are public clients, which prove by PKCE that a code is theirs. A client id is a sealed text that
says what was registered, so nothing is kept for programs that nobody allowed anything. Codes and refresh
tokens are good for once, on all nodes: the store refuses the second time, and then the grant is over,
for one of the two who came was a thief (RFC 9700 §4.14.2). Access tokens are sealed, and end with the
grant.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct

from postroad.model import (
    Account,
    Grant,
    GrantEnded,
    GrantGiven,
    GrantTurned,
    Group,
    PendingCode,
    Scope,
)
from postroad.ports import Clock, Conflict, Directory, Entropy, Ledger, SessionStore
from postroad.service.authenticate import OWN_TOKEN
from postroad.service.sealed import Seal

MAX_REDIRECTS = 5
MAX_REDIRECT_LETTERS = 500
MAX_NAME_LETTERS = 64
MAX_GRANTS = 50
_FOREVER = 2.0**40
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class OauthError(Exception):
    """What a program did is refused; `kind` is a word of RFC 6749 §5.2, §4.1.2.1 or RFC 7591 §3.2.2."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class OauthSettings(Struct, frozen=True, kw_only=True):
    """How long an access token is good, how long a grant lives that is not used, and how long a code."""

    access_seconds: float = 3600.0
    refresh_seconds: float = 60 * 86_400.0
    code_seconds: float = 60.0


class Client(Struct, frozen=True, array_like=True):
    """A program as it registered: what it calls itself, and where codes for it may be sent."""

    name: str
    redirects: tuple[str, ...]


class Wanted(Struct, frozen=True):
    """What a program asks an account's owner for."""

    client_id: str
    client: Client
    redirect: str
    scopes: tuple[Scope, ...]
    state: str
    challenge: str

    @property
    def host(self) -> str:
        """Where the answer goes, for people to see."""
        parts = urlsplit(self.redirect)
        return parts.netloc or f"{parts.scheme}:"


class Tokens(Struct, frozen=True):
    """What a program gets (RFC 6749 §5.1)."""

    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str
    scope: str


class Grants:
    """Registers programs, gives grants and judges tokens. `secret` is the store's."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        store: SessionStore,
        directory: Directory,
        clock: Clock,
        entropy: Entropy,
        secret: bytes,
        settings: OauthSettings | None = None,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._directory = directory
        self._clock = clock
        self._entropy = entropy
        self._settings = settings or OauthSettings()
        self._clients = Seal(secret, "oauth client")
        self._codes = Seal(secret, "oauth code")
        self._refreshes = Seal(secret, "oauth refresh")
        self._accesses = Seal(secret, "oauth access")

    def register(self, name: str, redirects: Sequence[str]) -> str:
        """Return the client id of a program (RFC 7591 §3). Raises `OauthError`."""
        name = name.strip()
        if not name or len(name) > MAX_NAME_LETTERS or not name.isprintable():
            raise OauthError(
                "invalid_client_metadata", f"client_name: 1 to {MAX_NAME_LETTERS} characters"
            )
        if not 0 < len(redirects) <= MAX_REDIRECTS:
            raise OauthError("invalid_redirect_uri", f"1 to {MAX_REDIRECTS} redirect_uris, please")
        for each in redirects:
            _require_redirect(each)
        data = msgspec.json.encode(Client(name, tuple(redirects)))
        return self._clients.close(data, _FOREVER)

    def look(self, asked: Mapping[str, str]) -> Wanted:
        """Return what a program asks for at the authorization endpoint (RFC 6749 §4.1.1). Raises
        `OauthError`.
        """
        client_id = asked.get("client_id", "")
        client = self._client(client_id)
        redirect = asked.get("redirect_uri", "")
        if not any(_is_same(each, redirect) for each in client.redirects):
            raise OauthError("invalid_request", "redirect_uri is not one that was registered")
        if asked.get("response_type") != "code":
            raise OauthError("unsupported_response_type", "response_type has to be code")
        challenge = asked.get("code_challenge", "")
        if asked.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
            raise OauthError("invalid_request", "PKCE by S256 is needed (RFC 7636)")
        scopes = _scopes(asked.get("scope", ""))
        return Wanted(client_id, client, redirect, scopes, asked.get("state", ""), challenge)

    async def give(self, account: Account, wanted: Wanted, issuer: str) -> str:
        """Allow what is wanted; return where the browser goes with the code (RFC 6749 §4.1.2)."""
        now = self._clock.now()
        number = self._entropy.id()
        expires_at = now + self._settings.code_seconds
        code = self._token(self._codes, number, expires_at)
        grant = Grant(
            id=number,
            account=account.id,
            client=_digest(wanted.client_id),
            name=wanted.client.name,
            scopes=wanted.scopes,
            digest=_digest(code),
            granted_at=now,
            used_at=now,
            expires_at=expires_at,
            pending=PendingCode(wanted.challenge, wanted.redirect),
        )
        await self._ledger.commit(Group((GrantGiven(now, grant, MAX_GRANTS),)))
        return _back(wanted, {"code": code, "iss": issuer})

    def deny(self, wanted: Wanted, issuer: str) -> str:
        """Return where the browser goes with a no (RFC 6749 §4.1.2.1)."""
        return _back(wanted, {"error": "access_denied", "iss": issuer})

    async def exchange(self, code: str, client_id: str, redirect: str, verifier: str) -> Tokens:
        """Return the tokens for a code (RFC 6749 §4.1.3, RFC 7636 §4.6). Raises `OauthError`."""
        grant = await self._grant(self._codes, code, client_id)
        pending = grant.pending
        if pending is None or pending.redirect != redirect:
            raise await self._thief(grant)
        challenge = base64.urlsafe_b64encode(_digest(verifier)).rstrip(b"=").decode()
        if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(
            challenge, pending.challenge
        ):
            raise await self._thief(grant)
        return await self._turn(grant, code)

    async def refresh(self, token: str, client_id: str) -> Tokens:
        """Return new tokens for a refresh token, which is worthless then (RFC 6749 §6). Raises
        `OauthError`.
        """
        return await self._turn(await self._grant(self._refreshes, token, client_id), token)

    async def account_of(self, token: str, scope: Scope | None) -> Account | None:
        """Return the account that an access token speaks for, None where it is no good for `scope`."""
        number = self._number(self._accesses, token.removeprefix(OWN_TOKEN))
        grant = None if number is None else await self._store.grant(number)
        if grant is None or grant.pending is not None or scope not in grant.scopes:
            return None
        return await self._directory.account_by_id(grant.account)

    async def revoke(self, token: str) -> None:
        """End the grant that a token is of (RFC 7009 §2.1); nothing happens for other texts."""
        number = self._number(self._refreshes, token)
        if number is None:
            number = self._number(self._accesses, token.removeprefix(OWN_TOKEN))
        grant = None if number is None else await self._store.grant(number)
        if grant is not None:
            await self.end(grant.account, grant.id)

    async def list(self, account: Account) -> list[Grant]:
        """Return what an account's owner allows, the last used first; not what was never fetched."""
        now = self._clock.now()
        found = await self._store.grants(account.id)
        return [each for each in found if each.pending is None and each.expires_at > now]

    async def end(self, account: int, grant: int) -> None:
        """Take a grant of an account back; it need not be there."""
        await self._ledger.commit(Group((GrantEnded(self._clock.now(), account, grant),)))

    def _client(self, client_id: str) -> Client:
        data = self._clients.open(client_id, self._clock.now())
        if data is None:
            raise OauthError("invalid_client", "client_id is not one that was registered here")
        return msgspec.json.decode(data, type=Client)

    async def _grant(self, seal: Seal, token: str, client_id: str) -> Grant:
        """Return the grant that may be turned by `token` now. Raises `OauthError`."""
        number = self._number(seal, token)
        grant = None if number is None else await self._store.grant(number)
        if grant is None or grant.expires_at <= self._clock.now():
            raise OauthError("invalid_grant", "it has run out, was taken back, or is not from here")
        if not hmac.compare_digest(grant.client, _digest(client_id)):
            raise OauthError("invalid_grant", "it was given to another program")
        if not hmac.compare_digest(grant.digest, _digest(token)):
            raise await self._thief(grant)
        return grant

    async def _turn(self, grant: Grant, old: str) -> Tokens:
        now, settings = self._clock.now(), self._settings
        expires_at = now + settings.refresh_seconds
        token = self._token(self._refreshes, grant.id, expires_at)
        change = GrantTurned(now, grant.id, _digest(old), _digest(token), expires_at)
        try:
            await self._ledger.commit(Group((change,)))
        except Conflict:  # somebody was faster with the same
            raise await self._thief(grant) from None
        access = self._token(self._accesses, grant.id, now + settings.access_seconds)
        return Tokens(
            access_token=OWN_TOKEN + access,
            token_type="Bearer",
            expires_in=int(settings.access_seconds),
            refresh_token=token,
            scope=" ".join(scope.value for scope in grant.scopes),
        )

    async def _thief(self, grant: Grant) -> OauthError:
        await self.end(grant.account, grant.id)
        return OauthError("invalid_grant", "it was used before, or by somebody else; ask anew")

    def _token(self, seal: Seal, grant: int, expires_at: float) -> str:
        return seal.close(grant.to_bytes(8, "big") + self._entropy.token(18).encode(), expires_at)

    def _number(self, seal: Seal, token: str) -> int | None:
        data = seal.open(token, self._clock.now())
        return None if data is None else int.from_bytes(data[:8], "big")


def _require_redirect(uri: str) -> None:
    """RFC 8252 §7: HTTPS, loopback, or a scheme of the program's own. Raises `OauthError`."""
    try:
        parts = urlsplit(uri)
        own = _PRIVATE_SCHEME.fullmatch(parts.scheme) is not None
        plain = parts.scheme == "http" and parts.hostname in _LOOPBACK
        secure = parts.scheme == "https" and bool(parts.hostname)
    except ValueError:
        own = plain = secure = False
        parts = urlsplit("")
    sound = (
        uri.isascii() and uri.isprintable() and " " not in uri and len(uri) <= MAX_REDIRECT_LETTERS
    )
    if not sound or not (own or plain or secure) or parts.fragment or parts.username is not None:
        raise OauthError(
            "invalid_redirect_uri",
            f"{uri[:100]!r}: it has to be https:, http: on loopback, or a scheme such as com.example:",
        )


def _is_same(registered: str, given: str) -> bool:
    """The same text; on loopback any port (RFC 8252 §7.3)."""
    if registered == given:
        return True
    try:
        one, two = urlsplit(registered), urlsplit(given)
        loopback = one.scheme == two.scheme == "http" and one.hostname in _LOOPBACK
        return loopback and (one.hostname, one.path, one.query, two.fragment, two.username) == (
            two.hostname,
            two.path,
            two.query,
            "",
            None,
        )
    except ValueError:
        return False


def _scopes(text: str) -> tuple[Scope, ...]:
    """Return what is asked for; nothing: everything. Raises `OauthError`."""
    words = [word for word in text.split() if word != "offline_access"]
    try:
        found = {Scope(word) for word in words} or set(Scope)
    except ValueError:
        known = " ".join(scope.value for scope in Scope)
        raise OauthError("invalid_scope", f"there are only: {known}") from None
    return tuple(sorted(found, key=lambda scope: scope.value))


def _back(wanted: Wanted, told: Mapping[str, str]) -> str:
    query = urlencode({**told, **({"state": wanted.state} if wanted.state else {})})
    return f"{wanted.redirect}{'&' if '?' in wanted.redirect else '?'}{query}"


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
