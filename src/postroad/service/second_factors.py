"""Second factors: codes of an authenticator app beside the password, and recovery codes for when the
telephone is gone. No code is taken twice, on no node: the store refuses it.
"""

import base64
import binascii
import hashlib

from msgspec import Struct

from postroad.model import (
    Account,
    Group,
    SecondFactor,
    SecondFactorRemoved,
    SecondFactorSet,
    SecondFactorUsed,
)
from postroad.ports import Clock, Conflict, Entropy, Ledger, SessionStore
from postroad.service.errors import Refused
from postroad.service.throttle import Throttled
from postroad.service.totp import DIGITS, SECRET_OCTETS, key_uri, matching_step, to_base32

RECOVERY_CODES = 10
FREE_WRONG_CODES = 10
"""After so many wrong codes in a row of one account, from wherever, it has to wait: who tries them knows
the password already, and six digits are few.
"""

_FIRST_WAIT_SECONDS = 30.0
_MAX_WAIT_SECONDS = 3600.0
_MAX_REMEMBERED = 10_000
_RECOVERY_OCTETS = 10  # 80 bits: 16 letters in base 32


class Enrolment(Struct, frozen=True):
    """What an authenticator app is told: `secret` in base 32, and all of it as a URI."""

    secret: str
    uri: str


class _Wrong(Struct):
    count: int = 0
    until: float = 0.0


class SecondFactors:
    """Sets, checks and removes second factors. `issuer` is what apps show beside the account."""

    def __init__(
        self, *, ledger: Ledger, store: SessionStore, clock: Clock, entropy: Entropy, issuer: str
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._issuer = issuer
        self._wrong: dict[int, _Wrong] = {}

    def begin(self, account: Account) -> Enrolment:
        """Return a new secret; nothing is kept of it until `confirm`."""
        secret = _octets(self._entropy, SECRET_OCTETS)
        return Enrolment(to_base32(secret), key_uri(secret, str(account.address), self._issuer))

    async def confirm(self, account: Account, secret: str, code: str) -> list[str]:
        """Set a secret of `begin`, now that an app showed a code of it; return the recovery codes, which
        cannot be shown again. Raises `Refused`.
        """
        try:
            octets = base64.b32decode(secret.strip().upper())
        except (binascii.Error, ValueError):
            octets = b""
        if len(octets) != SECRET_OCTETS:
            raise Refused("the secret is not one that was made here")
        now = self._clock.now()
        step = matching_step(octets, _clean(code), now)
        if step is None:
            raise Refused("the code does not fit; does the clock of the telephone go right?")
        codes = [self._recovery_code() for _ in range(RECOVERY_CODES)]
        recovery = tuple(_digest(_clean(each)) for each in codes)
        factor = SecondFactor(account.id, octets, now, recovery, step)
        await self._ledger.commit(Group((SecondFactorSet(now, factor),)))
        return codes

    async def check(self, account: Account, code: str) -> bool:
        """Whether a code is good, that of an app or a recovery code; it is not any more after that.

        Raises `Throttled` after too many wrong ones.
        """
        wrong = self._wrong.get(account.id)
        now = self._clock.monotonic()
        if wrong is not None and now < wrong.until:
            raise Throttled(wrong.until - now)
        if await self._take(account, _clean(code)):
            self._wrong.pop(account.id, None)
            return True
        self._count(account.id, now)
        return False

    async def look(self, account: Account) -> SecondFactor | None:
        """Return what an account has."""
        return await self._store.factor(account.id)

    async def remove(self, account: Account) -> None:
        """Do without from now on. Raises `Conflict` where there is none."""
        await self._ledger.commit(Group((SecondFactorRemoved(self._clock.now(), account.id),)))

    async def _take(self, account: Account, code: str) -> bool:
        factor = await self._store.factor(account.id)
        if factor is None:
            return False
        now = self._clock.now()
        if len(code) == DIGITS and code.isdecimal():
            step = matching_step(factor.secret, code, now, after=factor.step)
            if step is None:
                return False
            change = SecondFactorUsed(now, account.id, step=step)
        else:
            digest = _digest(code)
            if digest not in factor.recovery:
                return False
            change = SecondFactorUsed(now, account.id, recovery=digest)
        try:
            await self._ledger.commit(Group((change,)))
        except Conflict:  # somebody was faster with the same code
            return False
        return True

    def _count(self, account: int, now: float) -> None:
        if len(self._wrong) >= _MAX_REMEMBERED and account not in self._wrong:
            del self._wrong[next(iter(self._wrong))]
        wrong = self._wrong.setdefault(account, _Wrong())
        wrong.count += 1
        beyond = wrong.count - FREE_WRONG_CODES
        if beyond >= 0:
            wait = _FIRST_WAIT_SECONDS * 2.0 ** min(beyond, 20)
            wrong.until = now + min(wait, _MAX_WAIT_SECONDS)

    def _recovery_code(self) -> str:
        letters = base64.b32encode(_octets(self._entropy, _RECOVERY_OCTETS)).decode().lower()
        return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))


def _octets(entropy: Entropy, count: int) -> bytes:
    text = entropy.token(count)
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _clean(code: str) -> str:
    return code.replace(" ", "").replace("-", "").strip().lower()[:64]


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode("utf-8", "replace")).digest()
