"""Changes to how people log in on the web; see `model.change`.

None is in the journey of messages: they hold secrets, and the journey of logins tells who came.
"""

from msgspec import Struct

from postroad.model.session import Grant, Passkey, SecondFactor, WebSession


class SessionOpened(Struct, frozen=True, tag="session_opened"):
    """Somebody logged in with a browser. Of the account's sessions those that were used before
    `used_since` or opened before `opened_since` are over, and of the others the `keep` last used stay,
    this one among them.
    """

    at: float
    session: WebSession
    used_since: float
    opened_since: float
    keep: int


class SessionUsed(Struct, frozen=True, tag="session_used", omit_defaults=True):
    """A session is in use; `confirmed`: who it is was proved anew. Nothing changes where it is over."""

    at: float
    session: int
    confirmed: bool = False


class SessionsEnded(Struct, frozen=True, tag="sessions_ended", omit_defaults=True):
    """Sessions of an account are over: those named, or where none are, all but the session `but`."""

    at: float
    account: int
    sessions: tuple[int, ...] = ()
    but: int = 0


class SecondFactorSet(Struct, frozen=True, tag="second_factor_set"):
    """An account has a second factor from now on, in place of any earlier one."""

    at: float
    factor: SecondFactor


class SecondFactorUsed(Struct, frozen=True, tag="second_factor_used", omit_defaults=True):
    """A code was taken: that of a `step`, or the recovery code of this digest. A conflict where it, or a
    later one, was taken before.
    """

    at: float
    account: int
    step: int = 0
    recovery: bytes = b""


class SecondFactorRemoved(Struct, frozen=True, tag="second_factor_removed"):
    """An account has no second factor any more."""

    at: float
    account: int


class PasskeyAdded(Struct, frozen=True, tag="passkey_added"):
    """An account got a passkey; `keep` is how many it may have."""

    at: float
    passkey: Passkey
    keep: int


class PasskeyUsed(Struct, frozen=True, tag="passkey_used"):
    """A passkey answered the challenge made at `challenged_at`. A conflict where it answered that or a
    later one before, or where its count of signatures went back (WebAuthn §6.1.1).
    """

    at: float
    id: bytes
    sign_count: int
    challenged_at: float


class PasskeyRemoved(Struct, frozen=True, tag="passkey_removed"):
    """A passkey of an account is no longer good."""

    at: float
    account: int
    id: bytes


class GrantGiven(Struct, frozen=True, tag="grant_given"):
    """An account's owner allowed something to a program. What has run out is forgotten, and of the
    account's grants the `keep` last used stay, this one among them.
    """

    at: float
    grant: Grant
    keep: int


class GrantTurned(Struct, frozen=True, tag="grant_turned"):
    """A program came with what has the digest `old` and will come with `new`. A conflict where it should
    have come with something else.
    """

    at: float
    grant: int
    old: bytes
    new: bytes
    expires_at: float


class GrantEnded(Struct, frozen=True, tag="grant_ended", omit_defaults=True):
    """A grant of an account is over, or all of them where `grant` is 0. Nothing changes where it is."""

    at: float
    account: int
    grant: int = 0
