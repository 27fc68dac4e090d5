"""Keys that sign mail: made, published, used, retired.

A key is made here and its record is published by whoever runs the domain's DNS. When the record is seen,
the key waits until no cache can lack it, and then signs in place of the domain's older ones of the same
algorithm. A domain's first key has nobody to wait for. The record of a retired key has to stay until all
mail that it signed has arrived.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import structlog
from msgspec import Struct
from msgspec.structs import replace

from postroad.model import KeyState, StoredKey
from postroad.ports import Clock, Directory, KeyStore, Resolver, StorageError
from postroad.service.errors import Refused
from postroad.trust.dkim import (
    Algorithm,
    InvalidKey,
    SigningKey,
    generate,
    load,
    make_selector,
    publication_problem,
)

log = structlog.get_logger("postroad.keys")

BOTH = (Algorithm.RSA_SHA256, Algorithm.ED25519_SHA256)
"""Every verifier knows RSA; Ed25519 is quick and short, and not known to all."""


class Seen(Struct, frozen=True):
    """What the DNS says of a key; `problem` is ``""`` where its record is there."""

    key: StoredKey
    problem: str


class Keys:
    """Makes and tends keys. All methods raise `StorageError`."""

    def __init__(
        self,
        *,
        store: KeyStore,
        directory: Directory,
        clock: Clock,
        wait_seconds: float = 3600.0,
    ) -> None:
        self._store = store
        self._directory = directory
        self._clock = clock
        self._wait_seconds = wait_seconds

    def all(self, domain: str | None = None) -> list[StoredKey]:
        """Return all keys, or those of one domain, by domain and age."""
        return [key for key in self._store.all() if domain is None or key.domain == domain]

    def get(self, domain: str, selector: str) -> StoredKey:
        """Return a key. Raises `Refused` where there is none."""
        for key in self.all(domain):
            if key.selector == selector:
                return key
        raise Refused(f"{domain} has no key {selector}; see: postroad key list {domain}")

    async def add(
        self,
        domain: str,
        algorithms: Sequence[Algorithm] = BOTH,
        *,
        selector: str = "",
        sign_now: bool = False,
    ) -> list[StoredKey]:
        """Make a key of each algorithm. Raises `Refused`.

        Without `selector` one is made of the day. With `sign_now` they sign without a look at the DNS,
        in place of older ones.
        """
        if await self._directory.domain(domain) is None:
            raise Refused(
                f"{domain} is not a local domain; add it first: postroad domain add {domain}"
            )
        if selector and len(algorithms) > 1:
            raise Refused("a selector is for one key; name one algorithm")
        made = []
        for algorithm in algorithms:
            name = self._free(domain, selector or self._selector(algorithm), bool(selector))
            try:
                key = await asyncio.to_thread(generate, domain, name, algorithm)
            except InvalidKey as error:
                raise Refused(str(error)) from None
            now = self._clock.now()
            stored = StoredKey(domain, key.selector, algorithm.value, key.pem(), now)
            self._store.put(stored)
            made.append(self._begin(stored, now) if sign_now else stored)
        return made

    async def rotate(self, domain: str) -> list[StoredKey]:
        """Make a successor for each algorithm that signs now; it takes over by itself (`check`).

        Raises `Refused` where a successor waits already, or nothing signs.
        """
        now = self._clock.now()
        keys = self.all(domain)
        fresh = [key for key in keys if key.state(now) in (KeyState.WAITING, KeyState.PUBLISHED)]
        if fresh:
            raise Refused(
                f"{domain} has a new key already, {fresh[0].selector}: publish its record "
                f"(postroad key show {domain}), or remove it"
            )
        algorithms = {key.algorithm for key in keys if key.state(now) is KeyState.SIGNING}
        if not algorithms:
            raise Refused(f"{domain} has no key that signs; add one: postroad key add {domain}")
        return await self.add(domain, [each for each in BOTH if each.value in algorithms])

    async def check(self, resolver: Resolver, domain: str | None = None) -> list[Seen]:
        """Look for the records of all keys that are not retired, and bring on those that are seen."""
        seen = []
        for key in self.all(domain):
            now = self._clock.now()
            if key.state(now) is KeyState.RETIRED:
                continue
            problem = await publication_problem(signing_key(key), resolver)
            if not problem and key.published_at is None:
                key = self._publish(replace(key, published_at=now), now)
            seen.append(Seen(key, problem))
        return seen

    def retire(self, domain: str, selector: str, *, force: bool = False) -> StoredKey:
        """Have a key sign no more. Raises `Refused`, also where mail of the domain would then leave
        without a signature, now or when its successor fails to come, unless by `force`.
        """
        key = self.get(domain, selector)
        now = self._clock.now()
        if key.state(now) is KeyState.RETIRED:
            raise Refused(f"{selector} of {domain} is retired already")
        if not force:
            self._refuse_a_gap(key, now)
        retired = replace(key, signs_until=now)
        self._store.put(retired)
        return retired

    def remove(self, domain: str, selector: str, *, force: bool = False) -> None:
        """Forget a key that does not sign. Raises `Refused`, also where it is the one to sign next and
        no other would, unless by `force`.
        """
        key = self.get(domain, selector)
        now = self._clock.now()
        if key.state(now) is KeyState.SIGNING:
            raise Refused(
                f"{selector} of {domain} signs; first: postroad key retire {domain} {selector}"
            )
        if not force:
            self._refuse_a_gap(key, now)
        self._store.remove(domain, selector)

    async def watch(self, resolver: Callable[[], Resolver], every_seconds: float) -> None:
        """Bring on by itself what waits to be published, for ever. `resolver` gives that of now."""
        while True:
            try:
                now = self._clock.now()
                waiting = {key.domain for key in self.all() if key.state(now) is KeyState.WAITING}
                for domain in sorted(waiting):
                    await self.check(resolver(), domain)
            except (StorageError, Refused) as error:
                log.error("keys could not be looked after", error=str(error))
            await self._clock.sleep(every_seconds)

    def _publish(self, key: StoredKey, now: float) -> StoredKey:
        if key.signs_from is not None:
            self._store.put(key)
            return key
        older = [
            each
            for each in self.all(key.domain)
            if each.algorithm == key.algorithm and each.state(now) is KeyState.SIGNING
        ]
        log.info("a key is published", domain=key.domain, selector=key.selector)
        return self._begin(key, now + self._wait_seconds if older else now)

    def _begin(self, key: StoredKey, at: float) -> StoredKey:
        """Have a key sign from then on, and the older ones of its algorithm until then."""
        begun = replace(key, signs_from=at)
        self._store.put(begun)
        for each in self.all(key.domain):
            if (
                each.selector != key.selector
                and each.algorithm == key.algorithm
                and each.signs_from is not None
                and (each.signs_until is None or each.signs_until > at)
            ):
                self._store.put(replace(each, signs_until=at))
        return begun

    def _refuse_a_gap(self, key: StoredKey, now: float) -> None:
        """Raise `Refused` where without a key no other would sign now, or for good."""
        if key.signs_from is None or key.state(now) is KeyState.RETIRED:
            return
        others = [each for each in self.all(key.domain) if each.selector != key.selector]
        for_now = any(each.state(now) is KeyState.SIGNING for each in others)
        for_good = any(each.signs_from is not None and each.signs_until is None for each in others)
        if key.state(now) is KeyState.SIGNING and not for_now:
            when = "now"
        elif key.signs_until is None and not for_good:
            when = "later"
        else:
            return
        raise Refused(
            f"without {key.selector} no key of {key.domain} would sign {when}; make another first: "
            f"postroad key add {key.domain} --sign-now. --force goes ahead: mail then leaves unsigned"
        )

    def _selector(self, algorithm: Algorithm) -> str:
        day = datetime.fromtimestamp(self._clock.now(), UTC).date()
        return make_selector(day, algorithm)

    def _free(self, domain: str, wanted: str, exactly: bool) -> str:
        taken = {key.selector for key in self.all(domain)}
        if wanted not in taken:
            return wanted
        if exactly:
            raise Refused(f"{domain} has a key {wanted} already")
        return next(f"{wanted}{n}" for n in range(2, 1000) if f"{wanted}{n}" not in taken)


def signing_key(key: StoredKey) -> SigningKey:
    """Return the key to sign with. Raises `Refused` where it cannot be read."""
    try:
        return load(key.domain, key.selector, key.pem)
    except InvalidKey as error:
        raise Refused(f"the key {key.selector} of {key.domain} cannot be used: {error}") from None
