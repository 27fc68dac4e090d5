"""Keys of the HTTP API: made once and shown once; kept as a digest."""

import hashlib
import hmac

from postroad.model import (
    ApiKey,
    ApiKeyAdded,
    ApiKeyRemoved,
    ApiScope,
    Group,
    InvalidId,
    format_id,
    parse_id,
)
from postroad.ports import ApiKeyStore, Clock, Directory, Entropy, Ledger
from postroad.service.errors import Refused

MAX_API_KEYS = 1000
MAX_NAME_LETTERS = 64
PREFIX = "pr"
_OCTETS = 32  # 256 bits
_NOBODY = b"\0" * 32

REMEMBER_SECONDS = 1.0
"""How long a key that was shown is not looked up again; so long may one that is removed be good."""

_REMEMBER_MAX = 1000


class ApiKeys:
    """Adds, lists, removes and recognises keys. A token is ``pr_<id>_<secret>``."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        store: ApiKeyStore,
        directory: Directory,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._directory = directory
        self._clock = clock
        self._entropy = entropy
        self._known: dict[
            bytes, tuple[float, ApiKey]
        ] = {}  # by digest: until when, and whose it is

    async def add(
        self, name: str, scopes: tuple[ApiScope, ...], domains: tuple[str, ...] = ()
    ) -> str:
        """Make a key and return its token: it cannot be shown again.

        Raises `Refused` for a name or domain that will not do, `Conflict` where the name is taken.
        """
        name = name.strip()
        if not name or len(name) > MAX_NAME_LETTERS or not name.isprintable():
            raise Refused(f"a name of 1 to {MAX_NAME_LETTERS} printable characters is needed")
        if not scopes:
            raise Refused("a key that is good for nothing is of no use; name a scope")
        for domain in domains:
            if await self._directory.domain(domain) is None:
                raise Refused(f"{domain} is not a local domain; see: postroad domain list")
        if len(await self._store.list()) >= MAX_API_KEYS:
            raise Refused(f"there are {MAX_API_KEYS} keys, which is the limit; remove some first")
        number = self._entropy.id()
        token = f"{PREFIX}_{format_id(number)}_{self._entropy.token(_OCTETS)}"
        key = ApiKey(
            id=number,
            name=name,
            scopes=tuple(sorted(set(scopes), key=lambda scope: scope.value)),
            domains=tuple(sorted(set(domains))),
            digest=_digest(token),
            created_at=self._clock.now(),
        )
        await self._ledger.commit(Group((ApiKeyAdded(key.created_at, key),)))
        return token

    async def list(self) -> list[ApiKey]:
        """Return all keys, by name."""
        return await self._store.list()

    async def remove(self, name: str) -> None:
        """Make a key worthless, for all processes within `REMEMBER_SECONDS`. Raises `Conflict` where
        there is none.
        """
        await self._ledger.commit(Group((ApiKeyRemoved(self._clock.now(), name),)))
        self._known.clear()

    async def verify(self, token: str) -> ApiKey | None:
        """Return the key that a token is of, None for anything else. Compares in constant time."""
        shown, now = _digest(token), self._clock.monotonic()
        remembered = self._known.get(
            shown
        )  # found by all of the digest: nothing to learn from the time
        if remembered is not None and now < remembered[0]:
            return remembered[1]
        prefix, _, rest = token.partition("_")
        try:
            number = parse_id(rest.partition("_")[0])
        except InvalidId:
            return None
        key = await self._store.get(number) if prefix == PREFIX else None
        known = _NOBODY if key is None else key.digest
        if key is None or not hmac.compare_digest(shown, known):
            return None
        if len(self._known) >= _REMEMBER_MAX:
            self._known.clear()
        self._known[shown] = (now + REMEMBER_SECONDS, key)
        return key


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
