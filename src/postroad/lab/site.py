"""One mail server of the lab: a real `System` with its own data directory, address and domains.

It runs in this process, or (`own_process`) as ``postroad serve`` in one of its own, which can be killed
as by a power cut. Accounts and journeys are reached through its `Office` either way.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from argon2 import PasswordHasher
from msgspec import Struct

from postroad.lab.clients import Mailserver
from postroad.lab.network import LabNetwork
from postroad.model import Account, Address
from postroad.network import DnsResolver, Nameserver, ResolverSettings
from postroad.runtime.compose import System
from postroad.runtime.config import Config
from postroad.runtime.listeners import Listeners
from postroad.runtime.office import Office
from postroad.service.accounts import Accounts
from postroad.service.passwords import Passwords

_GRACE_SECONDS = 5.0
_START_SECONDS = 20.0
_STOP_SECONDS = 40.0
# Passwords of a lab are random and live for minutes; hashing them well would take most of its start.
_QUICK_ITERATIONS = 4096
_QUICK_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class LabFailed(Exception):
    """The lab cannot do it; the message says why, and what can be done."""


class Credentials(Struct, frozen=True):
    """An account: its address is also its user name."""

    address: str
    password: str


class Surroundings(Struct, frozen=True):
    """What a site needs of the lab: its wires, its DNS, whom it trusts."""

    network: LabNetwork
    nameserver: Nameserver
    ca_file: Path
    patience_seconds: float


class Site:
    """A mail server. `hostname` is its name, `address` what the DNS says of it."""

    def __init__(
        self,
        hostname: str,
        address: str,
        config: Config,
        surroundings: Surroundings,
        *,
        own_process: bool = False,
    ) -> None:
        self.hostname = hostname
        self.address = address
        self.config = config
        self.domains: list[str] = []
        self.own_process = own_process
        self._surroundings = surroundings
        self._passwords = Passwords(_QUICK_HASHER, _QUICK_ITERATIONS)
        self._accounts: dict[str, Credentials] = {}
        self._catch_all: dict[str, str] = {}
        self._stack = AsyncExitStack()
        self._office: Office | None = None
        self._system: System | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._listening: dict[str, list[tuple[str, int]]] = {}

    # What is where

    @property
    def office(self) -> Office:
        """Its stores and services. Raises `LabFailed` while it is stopped."""
        if self._office is None:
            raise LabFailed(f"{self.hostname} is stopped; start it by restart()")
        return self._office

    @property
    def system(self) -> System:
        """The running server. Raises `LabFailed` where it has a process of its own, or is stopped."""
        if self._system is None:
            raise LabFailed(f"{self.hostname} does not run in this process")
        return self._system

    @property
    def running(self) -> bool:
        """Whether it serves."""
        return self._system is not None or self._process is not None

    @property
    def data_dir(self) -> Path:
        """Where its store is."""
        return self.config.server.data_dir

    @property
    def mx(self) -> tuple[str, int]:
        """Address and port for mail from other servers."""
        return self._where("mx")

    @property
    def submission(self) -> tuple[str, int]:
        """Address and port for mail from users, STARTTLS."""
        return self._where("submission")

    @property
    def submissions(self) -> tuple[str, int]:
        """Address and port for mail from users, TLS from the first byte."""
        return self._where("submissions")

    @property
    def pop3(self) -> tuple[str, int]:
        """Address and port of POP3 with STLS."""
        return self._where("pop3")

    @property
    def pop3s(self) -> tuple[str, int]:
        """Address and port of POP3, TLS from the first byte."""
        return self._where("pop3s")

    def _where(self, service: str) -> tuple[str, int]:
        return self._listening[service][0]

    @property
    def accounts(self) -> list[Credentials]:
        """All accounts with their passwords."""
        return list(self._accounts.values())

    def account(self, name: str) -> Credentials:
        """Return an account by its address, or by its local part alone. Raises `LabFailed`."""
        key = name.lower()
        for address, found in self._accounts.items():
            if key in (address, address.rpartition("@")[0]):
                return found
        known = ", ".join(self._accounts) or "none"
        raise LabFailed(f"{self.hostname} has no account {name}; there are: {known}")

    def reader(self, address: str) -> Credentials:
        """Return the account that gets the mail for an address: its own, or the catch-all's."""
        plain = address.lower()
        if plain in self._accounts:
            return self._accounts[plain]
        domain = plain.rpartition("@")[2]
        if domain in self._catch_all:
            return self._accounts[self._catch_all[domain]]
        return self.account(address)

    def mailserver(self, service: str, credentials: Credentials) -> Mailserver:
        """Return where a client finds one of the services, and how it logs in."""
        host, port = self._where(service)
        return Mailserver(
            host,
            port,
            self.hostname,
            credentials.address,
            credentials.password,
            self._surroundings.ca_file,
            implicit_tls=service in ("submissions", "pop3s"),
        )

    # Who has mail here

    async def add_domain(
        self, name: str, accounts: Sequence[str] = (), *, catch_all: str | None = None
    ) -> None:
        """Make a domain local, with accounts by local part; mail for all others goes to `catch_all`."""
        office = self.office
        wanted = [*accounts, catch_all] if catch_all and catch_all not in accounts else accounts
        target = Address(catch_all, name) if catch_all else None
        await office.domains.add(name, catch_all=target)
        self.domains.append(name)
        if catch_all:
            self._catch_all[name] = f"{catch_all}@{name}"
        for account in wanted:
            await self.add_account(f"{account}@{name}")

    async def add_account(self, address: str, password: str | None = None) -> Credentials:
        """Make an account; a password is made where none is given."""
        office = self.office
        accounts = Accounts(
            ledger=office.store.ledger,
            directory=office.directory,
            clock=office.clock,
            entropy=office.entropy,
            passwords=self._passwords,
            secret=office.store.secret,
        )
        account, password = await accounts.add(Address.parse(address), password)
        credentials = Credentials(str(account.address), password)
        self._accounts[str(account.address).lower()] = credentials
        return credentials

    async def inbox(self, credentials: Credentials) -> int:
        """Return how many messages are in the INBOX of an account."""
        office = self.office
        account = await office.directory.account(Address.parse(credentials.address))
        if not isinstance(account, Account):
            raise LabFailed(f"there is no account {credentials.address}")
        listing = await office.store.mailboxes.listing(account.inbox)
        return len(listing.uids) if listing is not None else 0

    # Life

    async def start(self, listeners: Listeners | None = None) -> None:
        """Serve, on ports that may be bound already."""
        if self.running:
            return
        async with AsyncExitStack() as stack:
            if self.own_process:
                if listeners is not None:
                    self._listening = listeners.addresses
                    listeners.close()
                await self._spawn(stack)
            else:
                await self._open(stack, listeners)
            self._stack = stack.pop_all()

    async def stop(self) -> None:
        """End in order: what is in flight is finished. Nothing that was accepted is lost."""
        process = self._process
        try:
            if self._system is not None:
                await self._system.stop(_GRACE_SECONDS)
            if process is not None:
                process.terminate()
                async with asyncio.timeout(_STOP_SECONDS):
                    await process.wait()
        except TimeoutError:
            raise LabFailed(f"{self.hostname} did not end in {_STOP_SECONDS:g} s") from None
        finally:
            await self._close()

    async def close(self) -> None:
        """Stop, for good."""
        await self.stop()
        self._passwords.close()

    async def restart(self) -> None:
        """Stop (where it runs) and start, on the same address, ports and data."""
        await self.stop()
        await self.start()

    async def crash(self) -> None:
        """Kill it as a power cut would (SIGKILL). Raises `LabFailed` unless it has its own process."""
        if self._process is None:
            raise LabFailed(
                f"{self.hostname} runs in this process and cannot be killed alone; "
                "make it by add_domain(..., own_process=True)"
            )
        self._process.send_signal(signal.SIGKILL)
        await self._process.wait()
        await self._close()

    async def _close(self) -> None:
        self._system = self._office = self._process = None
        await self._stack.aclose()

    async def _open(self, stack: AsyncExitStack, listeners: Listeners | None) -> None:
        surroundings = self._surroundings
        patience = surroundings.patience_seconds
        resolver = DnsResolver(
            ResolverSettings(
                nameservers=(surroundings.nameserver,),
                timeout_seconds=patience / 2,
                total_seconds=patience,
                failure_seconds=0.0,
            )
        )
        stack.push_async_callback(resolver.close)
        if listeners is not None:
            stack.callback(listeners.close)
        system = await stack.enter_async_context(
            System.open(
                self.config,
                resolver=resolver,
                network=surroundings.network,
                listeners=listeners,
            )
        )
        await system.start()
        self._system, self._office = system, system.office
        self._listening = system.listening

    async def _spawn(self, stack: AsyncExitStack) -> None:
        """Run ``postroad serve``, and open its store beside it."""
        file = self.data_dir.parent / "postroad.toml"
        file.write_text(_toml(self.config), encoding="utf-8")
        log = stack.enter_context((self.data_dir.parent / "log").open("ab"))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "postroad.lab.served",
            str(file),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={name: value for name, value in os.environ.items() if not _ours(name)},
        )
        stack.push_async_callback(_end, process)
        host, port = self._where("mx")
        try:
            async with asyncio.timeout(_START_SECONDS):
                while not await _answers(host, port):
                    if process.returncode is not None:
                        raise LabFailed(f"{self.hostname} did not start; see {log.name}")
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise LabFailed(f"{self.hostname} did not start in time; see {log.name}") from None
        self._office = await stack.enter_async_context(Office.open(self.config))
        self._process = process


async def _answers(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


async def _end(process: asyncio.subprocess.Process) -> None:
    """Let no process outlive the lab."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _ours(name: str) -> bool:
    return name.startswith("POSTROAD_")


def _toml(config: Config) -> str:
    """Return what differs from the defaults as TOML; JSON's strings, numbers and lists are TOML's."""
    lines = []
    for section, table in config.model_dump(mode="json", exclude_unset=True).items():
        lines.append(f"[{section}]")
        lines += [
            f"{key} = {json.dumps('' if value is None else value)}" for key, value in table.items()
        ]
    return "\n".join(lines) + "\n"
