"""How people log in on the web and stay so: sessions, second factors, passkeys, and what they grant to
programs.
"""

from msgspec import Struct

from postroad.model.account import Scope


class WebSession(Struct, frozen=True):
    """Somebody who logged in with a browser. `digest` is the SHA-256 of the token in its cookie, which
    is random and long, so nothing slower is needed. `confirmed_at` is when it last was proved who that
    is; `client` an IP address and `agent` what the browser calls itself, both as of then. Times are
    seconds since 1970.
    """

    id: int
    account: int
    digest: bytes
    opened_at: float
    used_at: float
    confirmed_at: float
    client: str
    agent: str


class SecondFactor(Struct, frozen=True):
    """The secret of an account's time-based codes (RFC 6238). `step` is that of the last code that was
    taken: none is taken twice. `recovery` are SHA-256 of the codes for somebody whose telephone is gone,
    each good for once.
    """

    account: int
    secret: bytes
    since: float
    recovery: tuple[bytes, ...] = ()
    step: int = 0


class Passkey(Struct, frozen=True):
    """A key of an account's owner (WebAuthn): `id` is that of the credential, `public_key` in COSE.

    `challenged_at` is when the last challenge that it answered was made: an older one is not answered
    again, so that nothing can be replayed.
    """

    id: bytes
    account: int
    name: str
    public_key: bytes
    sign_count: int
    made_at: float
    used_at: float | None = None
    challenged_at: float = 0.0


class PendingCode(Struct, frozen=True):
    """What who brings a code must say: the challenge of its verifier (RFC 7636 §4.2), in base64url, and
    where the code was sent to.
    """

    challenge: str
    redirect: str


class Grant(Struct, frozen=True):
    """What an account's owner allowed a program (RFC 6749 §1.3).

    `digest` is the SHA-256 of what the program may come with next: the code, while `pending` is not
    None, then a refresh token, another each time. `client` is the SHA-256 of the program's client id,
    `name` what it calls itself. After `expires_at` there is nothing to come with.
    """

    id: int
    account: int
    client: bytes
    name: str
    scopes: tuple[Scope, ...]
    digest: bytes
    granted_at: float
    used_at: float
    expires_at: float
    pending: PendingCode | None = None
