"""The certificate of ACME: made when there is none, renewed when two thirds of its life are over.

Nothing that serves waits for it. Whatever goes wrong, the certificate that is there stays; the next try
comes later each time, and a restart does not make it come sooner. Key and certificate are one file, so
that no moment sees one without the other.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct

from postroad.network import SystemClock
from postroad.network.acme import AcmeAuthority
from postroad.ports import Clock
from postroad.ports.authority import CertificateAuthority, IssueFailed
from postroad.runtime import settings
from postroad.runtime.certificate import (
    Facts,
    fits,
    key_in,
    make_key,
    make_self_signed,
    read_facts,
    write_together,
)
from postroad.runtime.config import Config

LOOK_SECONDS = 600.0
BUSY_SECONDS = 30.0

log = structlog.get_logger("postroad.renewal")


class Busy(IssueFailed):
    """Another process is at it."""


class Attempts(Struct, frozen=True):
    """What came of the latest tries: how many failed in a row, when the next may be, why."""

    failures: int = 0
    next_at: float = 0.0
    error: str = ""


class Renewal:
    """Keeps the certificate of one configuration. `authority` is the one it names, if none is given."""

    def __init__(
        self,
        config: Config,
        clock: Clock | None = None,
        authority: CertificateAuthority | None = None,
    ) -> None:
        self._section = config.acme
        self._names = config.acme.names or (config.server.hostname,)
        self._directory = config.acme_directory
        self._file = self._directory / "certificate.pem"
        self._clock = clock or SystemClock()
        self._authority = authority or AcmeAuthority(
            settings.acme(config), settings.acme_proof(config)
        )

    @property
    def names(self) -> Sequence[str]:
        """The names that the certificate is to have."""
        return self._names

    def facts(self) -> Facts | None:
        """Tell of the certificate that is there, None where there is none to be read."""
        try:
            return read_facts(self._file.read_bytes())
        except (OSError, ValueError):
            return None

    def attempts(self) -> Attempts:
        """Tell of the latest tries."""
        return read_attempts(self._directory)

    def due_at(self) -> float:
        """When a new certificate is wanted, whatever came of earlier tries; 0: at once."""
        facts = self.facts()
        if facts is None or facts.self_signed or set(facts.names) != set(self._names):
            return 0.0
        return facts.renew_at

    async def run(self) -> None:
        """Renew when it is time, for ever."""
        while True:
            now = self._clock.now()
            wait = max(self.due_at(), self.attempts().next_at) - now
            if wait > 0:
                # In steps: a command may have renewed it, and the clock may be set.
                await self._clock.sleep(min(wait, LOOK_SECONDS))
                continue
            try:
                facts = await self.renew()
            except Busy:
                await self._clock.sleep(BUSY_SECONDS)
            except IssueFailed as error:
                log.error(
                    "certificate not renewed; the earlier one stays",
                    reason=error.reason,
                    next_try_seconds=round(self.attempts().next_at - now),
                )
                # Where not even the state can be written, it must not go round and round.
                await self._clock.sleep(self._section.retry_min_seconds)
            else:
                log.info("certificate renewed", names=facts.names, issuer=facts.issuer)

    async def renew(self) -> Facts:
        """Get a certificate now and put it in its place. Raises `IssueFailed`; `Busy` where another
        process is doing it.
        """
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._alone():
                return await self._try()
        except OSError as error:
            raise IssueFailed(f"{self._directory}: {error.strerror or error}") from error

    async def _try(self) -> Facts:
        try:
            facts = await self._get()
        except IssueFailed as error:
            self._remember_failure(error.reason)
            raise
        except ValueError as error:
            self._remember_failure(str(error))
            raise IssueFailed(f"what the authority issued is no certificate: {error}") from error
        if facts.renew_at <= self._clock.now():
            # Used all the same, but asked for again only as after a failure.
            self._remember_failure("what was issued is to be renewed already; is the clock right?")
        else:
            self._write_attempts(Attempts())
        return facts

    async def _get(self) -> Facts:
        key = self._key()
        chain = await self._authority.issue(self._names, key)
        facts = read_facts(chain)
        if not fits(chain, key):
            raise IssueFailed("the authority issued a certificate for another key")
        missing = set(self._names) - set(facts.names)
        if missing:
            raise IssueFailed(f"the certificate lacks {', '.join(sorted(missing))}")
        if facts.ends <= self._clock.now():
            raise IssueFailed("the certificate is over already; is the clock right?")
        write_together(self._file, key, chain)
        return facts

    def _key(self) -> bytes:
        if self._section.reuse_key:
            with contextlib.suppress(FileNotFoundError):
                found = key_in(self._file.read_bytes())
                if found is not None:
                    return found
        return make_key()

    def _remember_failure(self, reason: str) -> None:
        failures = self.attempts().failures + 1
        section = self._section
        wait = min(
            section.retry_min_seconds * 2.0 ** min(failures - 1, 30), section.retry_max_seconds
        )
        self._write_attempts(Attempts(failures, self._clock.now() + wait, reason))

    def _write_attempts(self, attempts: Attempts) -> None:
        path = self._directory / _ATTEMPTS
        fresh = path.with_name(f"{path.name}.new")
        fresh.write_bytes(msgspec.json.encode(attempts))
        os.replace(fresh, path)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        descriptor = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy("another process is asking for a certificate at this moment") from None
            yield
        finally:
            os.close(descriptor)


_ATTEMPTS = "attempts.json"


def read_attempts(directory: Path) -> Attempts:
    """Tell of the latest tries; a file that cannot be read tells of none."""
    try:
        return msgspec.json.decode((directory / _ATTEMPTS).read_bytes(), type=Attempts)
    except (OSError, msgspec.DecodeError):
        return Attempts()


def prepare(config: Config) -> None:
    """Put a certificate signed by itself where there is none yet, so that TLS is there from the start.

    Raises `OSError`.
    """
    directory = config.acme_directory
    path = directory / "certificate.pem"
    if path.exists():
        return
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    names = tuple(name for name in config.acme.names if not name.startswith("*."))
    write_together(path, *make_self_signed(names or (config.server.hostname,)))


class FileWatch:
    """Whether files have changed since the last look."""

    def __init__(self, paths: Sequence[Path] | None) -> None:
        self._seen = _state(paths)

    def changed(self, paths: Sequence[Path] | None) -> bool:
        """Look again; files that are away for the moment have not changed."""
        state = _state(paths)
        if state is None or state == self._seen:
            return False
        self._seen = state
        return True


def _state(paths: Sequence[Path] | None) -> tuple[object, ...] | None:
    try:
        found = [path.stat() for path in paths or ()]
    except OSError:
        return None
    return tuple((each.st_mtime_ns, each.st_ino, each.st_size) for each in found)
