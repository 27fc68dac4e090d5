"""What changes of sessions, second factors, passkeys and grants come to: the same in every store."""

from collections.abc import Sequence

from msgspec.structs import replace

from postroad.model import (
    Grant,
    GrantGiven,
    GrantTurned,
    Passkey,
    PasskeyUsed,
    SecondFactor,
    SecondFactorUsed,
    SessionOpened,
    SessionUsed,
    WebSession,
)
from postroad.storage import conflicts


def sessions_over(change: SessionOpened, known: Sequence[WebSession]) -> list[int]:
    """Return which of an account's sessions, the last used first, are over when another is opened."""
    alive = [
        each.id
        for each in known
        if each.used_at >= change.used_since and each.opened_at >= change.opened_since
    ]
    stay = set(alive[: change.keep - 1])
    return [each.id for each in known if each.id not in stay]


def session_used(change: SessionUsed, session: WebSession) -> WebSession:
    """Return the session as it is from now on."""
    confirmed_at = change.at if change.confirmed else session.confirmed_at
    return replace(session, used_at=max(session.used_at, change.at), confirmed_at=confirmed_at)


def factor_used(change: SecondFactorUsed, factor: SecondFactor) -> SecondFactor:
    """Return what is left of a second factor. Raises `Conflict` for a code that was taken."""
    if change.recovery:
        if change.recovery not in factor.recovery:
            raise conflicts.code_taken()
        left = tuple(each for each in factor.recovery if each != change.recovery)
        return replace(factor, recovery=left)
    if change.step <= factor.step:
        raise conflicts.code_taken()
    return replace(factor, step=change.step)


def passkey_used(change: PasskeyUsed, passkey: Passkey) -> Passkey:
    """Return the passkey as it is from now on. Raises `Conflict` for what was used before."""
    if change.challenged_at <= passkey.challenged_at:
        raise conflicts.code_taken()
    # Many keys do not count, and say 0 (WebAuthn §6.1.1).
    if (change.sign_count or passkey.sign_count) and change.sign_count <= passkey.sign_count:
        raise conflicts.passkey_copied()
    return replace(
        passkey,
        used_at=change.at,
        sign_count=change.sign_count,
        challenged_at=change.challenged_at,
    )


def grants_over(change: GrantGiven, known: Sequence[Grant]) -> list[int]:
    """Return which of an account's grants, the last used first, are over when another is given."""
    alive = [each.id for each in known if each.expires_at > change.at]
    stay = set(alive[: change.keep - 1])
    return [each.id for each in known if each.id not in stay]


def grant_turned(change: GrantTurned, grant: Grant) -> Grant:
    """Return the grant as it is from now on. Raises `Conflict` where something else was due."""
    if change.old != grant.digest:
        raise conflicts.token_taken()
    return replace(
        grant,
        digest=change.new,
        used_at=change.at,
        expires_at=change.expires_at,
        pending=None,
    )
