"""Which loopback addresses and ports a lab uses, so that labs at the same time do not meet.

Linux gives a process all of 127.0.0.0/8. A lab takes a block of 256 addresses (and the next ones when
these are used up): its name server first, then its servers, all with the same ports: the usual ones
(25, 587 …) where they may be bound, else 2525, 5587 …, else free ones. What is taken, by another lab
or anything else, is passed over. Systems with one loopback address have free ports on it; `LabNetwork`
then leads from the addresses that the DNS tells to these.
"""

import errno
import os
import random
import socket
from collections.abc import Callable, Iterator

from msgspec import Struct

from postroad.runtime.config import Config
from postroad.runtime.listeners import CannotListen, Listeners

HUMAN_BLOCK = "127.0.0"
ONLY_ADDRESS = "127.0.0.1"
_BLOCKS_TRIED = 50
_BLOCKS_USED = 200
_FIRST_SERVER = 3
_LAST_SERVER = 254


class Ports(Struct, frozen=True):
    """The port of each service."""

    mx: int
    submission: int
    submissions: int
    pop3: int
    pop3s: int

    @property
    def services(self) -> dict[str, int]:
        """By the names that the configuration has for them."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


USUAL = Ports(25, 587, 465, 110, 995)
HIGH = Ports(2525, 5587, 4465, 1110, 9995)
ANY = Ports(0, 0, 0, 0, 0)
DNS_PORTS = (53, 5335, 0)


class NoRoom(Exception):
    """No addresses or ports are left; the message says what was tried."""


class Addresses:
    """Hands out addresses of one block; `ports` are those of all its servers."""

    def __init__(self, block: str | None = None, *, one_address: bool | None = None) -> None:
        self.one_address = not _many_addresses() if one_address is None else one_address
        self.block = block or HUMAN_BLOCK
        self._wanted_block = block
        self._number = _FIRST_SERVER - 1
        self._further = 0
        self._ports: Ports | None = None

    @property
    def ports(self) -> Ports:
        """The ports of all servers. Chosen by `choose`."""
        assert self._ports is not None, "ports are chosen when the lab starts"
        return self._ports

    def name_servers(self) -> Iterator[tuple[str, int]]:
        """Yield addresses and ports for the name server, best first; `settle` says which was free."""
        if self.one_address:
            yield ONLY_ADDRESS, 0
            return
        blocks = [self._wanted_block] if self._wanted_block else []
        blocks += _blocks()
        for port in DNS_PORTS:
            for block in blocks:
                yield f"{block}.{_FIRST_SERVER - 1}", port

    def settle(self, name_server: str) -> None:
        """The name server is at this address: servers are to follow it."""
        if not self.one_address:
            self.block = name_server.rpartition(".")[0]
        self._ports = ANY if self.one_address else self._choose_ports()

    def next(self) -> str:
        """Return an address that was not handed out yet. Raises `NoRoom`."""
        self._number += 1
        if self._number > _LAST_SERVER:
            self._number = _FIRST_SERVER
            self._further += 1
        first, second, third = self.block.split(".")
        if self._further >= _BLOCKS_USED:
            raise NoRoom(f"{_BLOCKS_USED} blocks of addresses from {self.block}.0 on were used up")
        return f"{first}.{second}.{(int(third) + self._further) % 256}.{self._number}"

    def real(self, address: str) -> str:
        """Return where a server of that address really listens."""
        return ONLY_ADDRESS if self.one_address else address

    def _choose_ports(self) -> Ports:
        """The first set of ports that is free on one of the next addresses."""
        for ports in (USUAL, HIGH):
            for number in range(_FIRST_SERVER, _FIRST_SERVER + 3):
                problem = _taken(f"{self.block}.{number}", ports)
                if problem is None:
                    return ports
                if problem == errno.EACCES:
                    break  # these ports need privileges, on any address
        address = f"{self.block}.{_FIRST_SERVER}"
        return Ports(*_free(address, len(USUAL.services)))


def bind(addresses: Addresses, make: Callable[[str], Config]) -> tuple[str, Config, Listeners]:
    """Bind a server on the next address where all its ports are free.

    Returns the address (as the DNS is to tell it), the configuration and the bound ports.
    """
    problems: list[str] = []
    for _ in range(20):
        address = addresses.next()
        config = make(address)
        try:
            return address, config, Listeners.bind(config)
        except CannotListen as error:
            problems = error.problems
            if addresses.one_address:
                break
    raise NoRoom("no loopback address has all ports free: " + "; ".join(problems))


def _blocks() -> list[str]:
    """Blocks in an order that differs from process to process."""
    chance = random.Random(os.getpid())
    found = [
        f"127.{chance.randrange(1, 255)}.{chance.randrange(1, 255)}" for _ in range(_BLOCKS_TRIED)
    ]
    return list(dict.fromkeys(found))


def _many_addresses() -> bool:
    """Whether all of 127.0.0.0/8 is ours (Linux), or 127.0.0.1 alone (macOS, BSD)."""
    with socket.socket() as sock:
        try:
            sock.bind(("127.83.65.2", 0))
        except OSError:
            return False
    return True


def _taken(address: str, ports: Ports) -> int | None:
    """Return the error number of the first port that cannot be bound, None where all can."""
    for port in ports.services.values():
        with socket.socket() as sock:
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind((address, port))
                sock.listen(1)
            except OSError as error:
                return error.errno
    return None


def _free(address: str, count: int) -> list[int]:
    """Return ports that are free on an address at this moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for sock in sockets:
            sock.bind((address, 0))
        return [sock.getsockname()[1] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()
