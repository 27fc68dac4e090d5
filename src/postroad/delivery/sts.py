"""The MTA-STS policy of a domain: from the store, or fetched (RFC 8461 §3, §5.1).

A policy that is kept binds until it runs out, whatever DNS and web server say meanwhile; so whoever can
block both still cannot take it away. A store that cannot be read defers.
"""

import structlog
from msgspec import Struct

from postroad.delivery.exchange import FetchFailed
from postroad.delivery.https import Fetcher
from postroad.model import Group, Reply, Step, StsMode, StsPolicy, StsPolicyKept, TlsFailure
from postroad.ports import (
    AnswerStatus,
    Clock,
    Ledger,
    Resolver,
    RouteFailed,
    SecurityStore,
    StorageError,
)
from postroad.trust.mta_sts import StsInvalid, parse_policy, parse_record

log = structlog.get_logger("postroad.delivery")

_PATH = "/.well-known/mta-sts.txt"
_MAX_FAILURES = 10_000


class StsFound(Struct, frozen=True):
    """What binds a domain's mail: its policy, if it has one; in words what was asked and answered; and
    why an announced policy is not known.
    """

    policy: StsPolicy | None = None
    lines: tuple[str, ...] = ()
    failure: TlsFailure | None = None


class StsSettings(Struct, frozen=True):
    """How often policies are fetched, in seconds: again after a failure, and to renew what is kept."""

    retry_seconds: float = 300.0
    refresh_seconds: float = 86_400.0


class _Failure(Struct, frozen=True):
    """A fetch that failed: not to be repeated before `until` (monotonic)."""

    id: str
    until: float
    what: TlsFailure
    line: str


class StsPolicies:
    """Finds policies."""

    def __init__(
        self,
        *,
        resolver: Resolver,
        fetcher: Fetcher,
        store: SecurityStore,
        ledger: Ledger,
        clock: Clock,
        settings: StsSettings,
    ) -> None:
        self._resolver = resolver
        self._fetcher = fetcher
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._settings = settings
        self._failures: dict[str, _Failure] = {}

    async def find(self, domain: str) -> StsFound:
        """Return what binds mail for a domain (A-labels in lower case).

        Raises `RouteFailed` where the store does not say what was kept.
        """
        try:
            kept = await self._store.sts_policy(domain)
        except StorageError as error:
            text = f"the MTA-STS policy of {domain} cannot be read from the store"
            step = Step(0.0, "lookup", f"{text}: {error}")
            raise RouteFailed(Reply(451, "4.3.0", text), (step,)) from error
        now = self._clock.now()
        if kept is not None and now >= kept.expires_at:
            kept = None
        answer = await self._resolver.lookup(f"_mta-sts.{domain}", "TXT")
        if answer.status is AnswerStatus.FAILED:
            problem = f"MTA-STS record of {domain}: look-up failed ({answer.detail})"
            return _bound_by(kept, problem)
        try:
            found = parse_record(answer.records)
        except StsInvalid as error:
            return _bound_by(kept, f"MTA-STS record of {domain}: {error}", TlsFailure.STS_INVALID)
        if found is None:
            return _bound_by(kept, f"MTA-STS record of {domain}: none") if kept else StsFound()
        if kept is not None and kept.id == found and self._is_fresh(kept, now):
            return _bound_by(kept, "")
        return await self._renew(domain, found, kept)

    def _is_fresh(self, kept: StsPolicy, now: float) -> bool:
        """Policies are renewed long before they run out."""
        return now - kept.fetched_at < min(self._settings.refresh_seconds, kept.max_age / 2)

    async def _renew(self, domain: str, found: str, kept: StsPolicy | None) -> StsFound:
        now = self._clock.monotonic()
        failure = self._failures.get(domain)
        if failure is None or failure.until <= now or failure.id != found:
            try:
                policy = await self._fetch(domain, found)
            except FetchFailed as error:
                what = TlsFailure.STS_WEBPKI if error.tls else TlsFailure.STS_FETCH
                failure = self._failed(domain, found, what, str(error))
            except StsInvalid as error:
                failure = self._failed(domain, found, TlsFailure.STS_INVALID, str(error))
            else:
                self._failures.pop(domain, None)
                await self._keep(policy)
                return _bound_by(policy, "")
        return _bound_by(kept, failure.line, failure.what)

    async def _fetch(self, domain: str, found: str) -> StsPolicy:
        text = await self._fetcher.get(f"mta-sts.{domain}", _PATH, "text/plain")
        return parse_policy(text, domain=domain, id=found, at=self._clock.now())

    def _failed(self, domain: str, found: str, what: TlsFailure, reason: str) -> _Failure:
        if len(self._failures) >= _MAX_FAILURES:
            del self._failures[next(iter(self._failures))]
        until = self._clock.monotonic() + self._settings.retry_seconds
        line = f"MTA-STS policy of {domain} cannot be fetched: {reason}"
        failure = self._failures[domain] = _Failure(found, until, what, line)
        return failure

    async def _keep(self, policy: StsPolicy) -> None:
        try:
            await self._ledger.commit(Group((StsPolicyKept(self._clock.now(), policy),)))
        except StorageError as error:
            # It binds this route all the same; the next one fetches it again.
            log.warning("MTA-STS policy not kept", domain=policy.domain, error=str(error))


def _bound_by(
    policy: StsPolicy | None, problem: str, failure: TlsFailure | None = None
) -> StsFound:
    lines = [problem] if problem else []
    if policy is None:
        return StsFound(None, tuple(lines), failure)
    told = f"MTA-STS policy of {policy.domain}: {policy.mode.value}"
    if policy.mode is not StsMode.NONE:
        told += f", mx {', '.join(policy.mx[:8])}"
    lines.append(f"{told} (kept from before)" if problem else told)
    # One that asks for nothing is as good as none from here on.
    bound = None if policy.mode is StsMode.NONE else policy
    return StsFound(bound, tuple(lines), failure)
