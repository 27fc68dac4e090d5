"""DNS-01: TXT records, published by a command of the operator or by a signed update (RFC 2136)."""

import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import ClassVar, Protocol

import dns.exception
import dns.name
import dns.query
import dns.rcode
import dns.resolver
import dns.tsig
import dns.tsigkeyring
import dns.update
from msgspec import Struct

from postroad.network.acme.proof import Challenge
from postroad.network.nameservers import Nameserver
from postroad.ports.authority import IssueFailed

COMMAND_SECONDS = 120.0
UPDATE_SECONDS = 15.0
TTL_SECONDS = 60


class Publisher(Protocol):
    """Adds and removes one TXT record. Raises `IssueFailed`."""

    def add(self, name: str, text: str) -> None:
        """Add a record, beside others of the name."""
        ...

    def remove(self, name: str, text: str) -> None:
        """Remove that record and no other."""
        ...


class DnsProof:
    """Proves names by records at ``_acme-challenge``.

    The authority asks the name servers of the zone, which may learn of the record late: it is told only
    after `wait_seconds`.
    """

    kind: ClassVar[str] = "dns-01"

    def __init__(
        self,
        publisher: Publisher,
        wait_seconds: float,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._publisher = publisher
        self._wait_seconds = wait_seconds
        self._sleep = sleep

    def publish(self, challenges: Sequence[Challenge]) -> None:
        """Add the records and wait until they have spread."""
        for each in challenges:
            self._publisher.add(each.name, each.text)
        if challenges:
            self._sleep(self._wait_seconds)

    def withdraw(self, challenges: Sequence[Challenge]) -> None:
        """Remove the records, as many as can be."""
        failed: IssueFailed | None = None
        for each in challenges:
            try:
                self._publisher.remove(each.name, each.text)
            except IssueFailed as error:
                failed = error
        if failed is not None:
            raise failed


class DnsCommand:
    """Runs ``COMMAND add NAME TEXT`` and ``COMMAND remove NAME TEXT``, without a shell."""

    def __init__(self, command: Sequence[str], seconds: float = COMMAND_SECONDS) -> None:
        self._command = tuple(command)
        self._seconds = seconds

    def add(self, name: str, text: str) -> None:
        """Add a record."""
        self._run("add", name, text)

    def remove(self, name: str, text: str) -> None:
        """Remove it."""
        self._run("remove", name, text)

    def _run(self, *words: str) -> None:
        shown = f"{self._command[0]} {words[0]}"
        try:
            done = subprocess.run(
                [*self._command, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=self._seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise IssueFailed(f"{shown} took more than {self._seconds:g} s") from None
        except OSError as error:
            raise IssueFailed(f"{shown} cannot be run: {error.strerror}") from error
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip()[-300:]
            raise IssueFailed(f"{shown} ended with {done.returncode}{said and f': {said}'}")


class TsigKey(Struct, frozen=True):
    """A key for updates (RFC 8945); `secret` is in base 64."""

    name: str
    secret: str
    algorithm: str = "hmac-sha256"


class DnsUpdate:
    """Sends updates (RFC 2136) to `server`. Without a `zone`, the server is asked which a name is in."""

    def __init__(self, server: Nameserver, key: TsigKey | None = None, zone: str = "") -> None:
        self._server = server
        self._zone = zone
        self._key = key

    def add(self, name: str, text: str) -> None:
        """Add a record."""
        owner = dns.name.from_text(name)
        zone = self._zone_of(owner)
        update = self._update(zone)
        update.add(owner, TTL_SECONDS, "TXT", f'"{text}"')
        self._send(update, zone)

    def remove(self, name: str, text: str) -> None:
        """Remove it."""
        owner = dns.name.from_text(name)
        zone = self._zone_of(owner)
        update = self._update(zone)
        update.delete(owner, "TXT", f'"{text}"')
        self._send(update, zone)

    def _zone_of(self, owner: dns.name.Name) -> dns.name.Name:
        if self._zone:
            return dns.name.from_text(self._zone)
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = [self._server.address]
        resolver.port = self._server.port
        resolver.lifetime = UPDATE_SECONDS
        with suppress(dns.exception.DNSException, OSError):
            return dns.resolver.zone_for_name(owner, resolver=resolver)
        raise IssueFailed(
            f"{self._server} does not say which zone {owner} is in; set acme.dns_zone"
        )

    def _update(self, zone: dns.name.Name) -> dns.update.UpdateMessage:
        if self._key is None:
            return dns.update.UpdateMessage(zone)
        try:
            keyring = dns.tsigkeyring.from_text(
                {self._key.name: (f"{self._key.algorithm}.", self._key.secret)}
            )
        except (dns.exception.DNSException, ValueError) as error:
            raise IssueFailed(f"the TSIG key {self._key.name} is no use: {error}") from None
        return dns.update.UpdateMessage(
            zone, keyring=keyring, keyalgorithm=dns.name.from_text(self._key.algorithm)
        )

    def _send(self, update: dns.update.UpdateMessage, zone: dns.name.Name) -> None:
        where = f"the update of {zone} at {self._server}"
        try:
            response = dns.query.tcp(
                update, self._server.address, UPDATE_SECONDS, port=self._server.port
            )
        except (dns.exception.DNSException, OSError) as error:
            raise IssueFailed(f"{where} failed: {type(error).__name__}: {error}") from error
        if response.rcode() != dns.rcode.NOERROR:
            raise IssueFailed(f"{where} was refused: {dns.rcode.to_text(response.rcode())}")
