"""The first run: where no configuration is, a page on loopback asks for what one needs.

Who may use it read its address in the terminal, which has a token in it. When all is set up the server
goes on with the new configuration, at the same address.
"""

import asyncio
import ipaddress
import pwd
import secrets
import signal
import socket
import sys
from pathlib import Path

from postroad.model import Address, InvalidAddress, parse_domain
from postroad.network import SystemClock
from postroad.runtime.quickstart import (
    Done,
    Plan,
    add_ports,
    make_plan,
    records_of,
    set_up,
    write_files,
)
from postroad.servers.registry import Registry
from postroad.service.errors import Refused
from postroad.web.connection import HttpServer
from postroad.web.pages import is_built
from postroad.web.setup import Look, Made, RecordShown, SetupPage, Wish

PORT = 8025
_TOKEN_OCTETS = 32
_GRACE_SECONDS = 2.0


class NoFirstRun(Exception):
    """There can be none; the message says why, and what to do."""


def config_of(directory: Path | None) -> Path:
    """Return where the configuration of a first run is."""
    return make_plan("localhost", directory=directory).config_file


async def first_run(directory: Path | None) -> Path | None:
    """Serve the page until all is set up; return the configuration file, None where it was stopped.

    Raises `NoFirstRun`.
    """
    if not is_built():
        raise NoFirstRun(
            "the web app is not built (make webapp), so there is no page for a first run; "
            "set up by: postroad quickstart YOUR.DOMAIN"
        )
    _require_user(make_plan("localhost", directory=directory))
    listening = _listen()
    port = listening.getsockname()[1]
    token = secrets.token_urlsafe(_TOKEN_OCTETS)
    setter = _Setter(directory, port)
    page = SetupPage(setter, token, SystemClock(), "localhost")
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopped.set)
    server = HttpServer(page.app, page.settings, loop)
    registry = Registry(max_connections=100)
    listener = await loop.create_server(lambda: server.connection(registry), sock=listening)
    print(
        "There is no configuration yet. Open this page on this machine to make one:\n", flush=True
    )
    print(f"    http://localhost:{port}/setup#{token}\n", flush=True)
    waits = [asyncio.create_task(each.wait()) for each in (page.finished, stopped)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        listener.close()
        await registry.shut_down(_GRACE_SECONDS)
        await server.close(_GRACE_SECONDS)
        for task in waits:
            task.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(signum)
    if not page.finished.is_set() or setter.plan is None:
        return None
    file = setter.plan.config_file
    print(f"The configuration is {file}. From now on: postroad serve --config {file}", flush=True)
    return file


def _require_user(plan: Plan) -> None:
    """Root's server becomes another user, who has to be there. Raises `NoFirstRun`."""
    if not plan.user:
        return
    try:
        pwd.getpwnam(plan.user)
    except KeyError:
        raise NoFirstRun(
            f"the server becomes the user {plan.user}, who is not there. Make it (useradd --system "
            f"--home-dir {plan.data_dir} --shell /usr/sbin/nologin {plan.user}), or say where all of it "
            "should be: postroad serve --dir DIR"
        ) from None


def _listen() -> socket.socket:
    """Bind loopback alone, at the usual port or, where that is taken, at any."""
    try:
        return socket.create_server(("127.0.0.1", PORT))
    except OSError:  # somebody else has it
        pass
    try:
        return socket.create_server(("127.0.0.1", 0))
    except OSError as error:
        raise NoFirstRun(f"no port of 127.0.0.1 can be bound: {error}") from error


class _Setter:
    """See `web.setup.Setter`."""

    def __init__(self, directory: Path | None, port: int) -> None:
        self._directory = directory
        self._port = port
        self.plan: Plan | None = None

    def look(self) -> Look:
        """Return what to fill in with."""
        plan = make_plan("localhost", directory=self._directory)
        name = socket.getfqdn()
        return Look(str(plan.directory), name if "." in name and "arpa" not in name else "")

    async def set_up(self, wish: Wish) -> Made:
        """Make configuration, domain and account. Raises `Refused`."""
        try:
            domain = parse_domain(wish.domain.strip())
            hostname = parse_domain(wish.hostname.strip()) if wish.hostname.strip() else None
            account = Address.parse(f"{wish.local_part.strip()}@{domain}")
            addresses = tuple(str(ipaddress.ip_address(each.strip())) for each in wish.addresses)
        except (InvalidAddress, ValueError) as error:
            raise Refused(str(error)) from error
        if len(wish.password) < 8:
            raise Refused("the password has fewer than 8 letters")
        plan = make_plan(
            domain, hostname=hostname, directory=self._directory, account=account.local_part
        )
        plan = add_ports(plan, http=f"127.0.0.1:{self._port}")
        try:
            write_files(plan, force=True)  # there is none, or one of a first run that was not ended
            done: Done = await set_up(plan, wish.password, operator=True)
        except OSError as error:
            raise Refused(f"{plan.directory}: {error.strerror or error}") from error
        self.plan = plan
        records = [
            RecordShown(each.name, each.type, each.data, each.zone_line())
            for each in records_of(domain, done, addresses)
        ]
        address = str(plan.first_account)
        return Made(address, str(plan.config_file), done.self_signed, records)


def complain(error: NoFirstRun) -> None:
    """Say in the terminal why there is no first run."""
    print(f"postroad: {error}", file=sys.stderr)
