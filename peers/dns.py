"""Name servers on loopback: Knot answers for zones, Unbound resolves and validates.

Neither ever asks anyone beyond loopback. Libraries that read resolv.conf know port 53 only, so
who serves those gives `port=53` and a loopback address of its own, which needs root.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from peers.tools import (
    LOOPBACK,
    PeerFailed,
    Process,
    choose_port,
    find,
    private_directory,
    run,
    wait_until,
)


class Knot:
    """An authoritative name server for zones given as text, from `__enter__` to `__exit__`.

    `zones` gives each zone's records in master file form; `$ORIGIN` and a TTL are set, and a SOA
    and NS are added when the text has no SOA. Zones in `signed` are signed by DNSSEC. Who has the
    key `update_key` (name, secret in base 64; hmac-sha256) may change them all (RFC 2136).

    Raises `MissingTool`, and `PeerFailed` with the log when it does not start.
    """

    def __init__(
        self,
        zones: Mapping[str, str],
        address: str = LOOPBACK,
        port: int | None = None,
        *,
        signed: Collection[str] = (),
        update_key: tuple[str, str] | None = None,
    ) -> None:
        self.address = address
        self.port = choose_port(address, port)
        self._update_key = update_key
        self._zones = {name.rstrip("."): text for name, text in zones.items()}
        self._signed = {name.rstrip(".") for name in signed}
        self._serial = 1
        self._stack = ExitStack()
        self._directory: Path | None = None

    def __enter__(self) -> Self:
        program = find("knotd")
        with ExitStack() as stack:
            self._directory = stack.enter_context(private_directory("knot"))
            for name in ("zones", "keys", "run"):
                (self._directory / name).mkdir()
            for name, text in self._zones.items():
                self._zone_file(name).write_text(_zone(name, text, self._serial))
            config = self._directory / "knot.conf"
            config.write_text(self._config(self._directory))
            process = stack.enter_context(
                Process([program, "-c", config], self._directory / "knot.log")
            )
            process.wait_for_port(self.address, self.port)
            wait_until(lambda: "server started" in self.log(), 10, "Knot to load its zones")
            # It starts without a zone that it cannot read, and would answer SERVFAIL for it.
            if " error: " in self.log():
                raise PeerFailed(f"Knot refuses a zone\n{self.log()}")
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def directory(self) -> Path:
        """The directory of the server: knot.conf, zones, keys and log."""
        if self._directory is None:
            raise RuntimeError("this Knot has not been entered by `with`")
        return self._directory

    @property
    def zones(self) -> list[str]:
        """The names of its zones, without the last dot."""
        return list(self._zones)

    def _zone_file(self, name: str) -> Path:
        return self.directory / "zones" / f"{name or 'root'}.zone"

    def _config(self, directory: Path) -> str:
        lines = [_KNOT.format(directory=directory, address=self.address, port=self.port)]
        if self._update_key is not None:
            name, secret = self._update_key
            lines.append(_UPDATES.format(name=name, secret=secret))
        lines.append("zone:")
        for name in self._zones:
            lines.append(f"  - domain: {name}.\n    file: {self._zone_file(name)}")
            if self._update_key is not None:
                lines.append("    acl: updates")
            if name in self._signed:
                lines.append("    dnssec-signing: on\n    dnssec-policy: quick")
        return "\n".join(lines) + "\n"

    def update(self, zone: str, text: str) -> None:
        """Replace a zone's records and return when the new ones are served.

        Raises `PeerFailed` when Knot refuses them.
        """
        name = zone.rstrip(".")
        if name not in self._zones:
            raise ValueError(f"{zone} is not a zone of this server")
        self._serial += 1
        self._zones[name] = text
        self._zone_file(name).write_text(_zone(name, text, self._serial))
        self._knotc("zone-reload", f"{name}.")

    def trust_anchor(self, zone: str) -> str:
        """Return the DS record of a signed zone, which a validating resolver trusts."""
        keymgr, config = find("keymgr"), self.directory / "knot.conf"
        printed = run([keymgr, "-c", config, f"{zone.rstrip('.')}.", "ds"]).decode()
        # Digest type 2 is SHA-256, the one that every validator knows.
        for line in printed.splitlines():
            fields = line.split()
            if fields[1:2] == ["DS"] and fields[4] == "2":
                return line
        raise PeerFailed(f"keymgr knows no DS of {zone}: {printed}")

    def log(self) -> str:
        """Return what it has logged so far."""
        return (self.directory / "knot.log").read_text(errors="replace")

    def _knotc(self, *words: str) -> None:
        run([find("knotc"), "-c", self.directory / "knot.conf", "--blocking", *words])


class Unbound:
    """A validating resolver that asks only the given Knots, from `__enter__` to `__exit__`.

    Zones in `signed` are validated with their Knot's DS as trust anchor, and `anchors` are further
    DS or DNSKEY records to trust. All other zones of these servers are insecure by declaration,
    and any other name ends in SERVFAIL, since queries cannot leave loopback.

    Raises `MissingTool`, and `PeerFailed` with the log when it does not start.
    """

    def __init__(
        self,
        servers: Sequence[Knot],
        address: str = LOOPBACK,
        port: int | None = None,
        *,
        signed: Collection[str] = (),
        anchors: Sequence[str] = (),
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.address = address
        self.port = choose_port(address, port)
        self._servers = servers
        self._signed = {name.rstrip(".") for name in signed}
        self._anchors = anchors
        self._settings = dict(settings or {})
        self._stack = ExitStack()
        self._directory: Path | None = None

    def __enter__(self) -> Self:
        program = find("unbound")
        with ExitStack() as stack:
            self._directory = stack.enter_context(private_directory("unbound"))
            config = self._directory / "unbound.conf"
            config.write_text(self._config(self._directory))
            process = stack.enter_context(
                Process([program, "-d", "-c", config], self._directory / "unbound.log")
            )
            process.wait_for_port(self.address, self.port)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _config(self, directory: Path) -> str:
        lines = [_UNBOUND.format(directory=directory, address=self.address, port=self.port)]
        lines += [f"  {name}: {value}" for name, value in self._settings.items()]
        lines += [f'  trust-anchor: "{anchor}"' for anchor in self._anchors]
        anchored = {anchor.split()[0].rstrip(".") for anchor in self._anchors}
        stubs = []
        names = [name for server in self._servers for name in server.zones]
        # Unbound answers for test., 127.in-addr.arpa. and others itself unless told not to
        # (RFC 6761, RFC 6303).
        lines += [f'  local-zone: "{name}" nodefault' for name in sorted(_with_parents(names))]
        for server in self._servers:
            for name in server.zones:
                if name in self._signed:
                    lines.append(f'  trust-anchor: "{server.trust_anchor(name)}"')
                elif name not in anchored:
                    lines.append(f'  domain-insecure: "{name}."')
                stubs.append(f'stub-zone:\n  name: "{name}."')
                stubs.append(f"  stub-addr: {server.address}@{server.port}")
        return "\n".join(lines + stubs) + "\n"

    def log(self) -> str:
        """Return what it has logged so far."""
        if self._directory is None:
            raise RuntimeError("this Unbound has not been entered by `with`")
        return (self._directory / "unbound.log").read_text(errors="replace")


def _zone(name: str, text: str, serial: int) -> str:
    head = f"$ORIGIN {name}.\n$TTL 60\n"
    if " SOA " not in f" {' '.join(text.upper().split())} ":
        head += f"@ SOA ns.invalid. hostmaster.invalid. {serial} 3600 600 86400 60\n"
        head += "@ NS ns.invalid.\n"
    return head + text.rstrip() + "\n"


def _with_parents(names: Sequence[str]) -> set[str]:
    """Return the names and all their parents below the root, with the last dot."""
    found = set()
    for name in names:
        labels = name.split(".") if name else []
        found |= {".".join(labels[index:]) + "." for index in range(len(labels))}
    return found


_UPDATES = """
key:
  - id: {name}
    algorithm: hmac-sha256
    secret: {secret}
acl:
  - id: updates
    key: {name}
    action: update
"""

_KNOT = """
server:
  rundir: {directory}/run
  listen: {address}@{port}
  # Workers for every core would cost memory and time at start for a handful of queries.
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
control:
  listen: {directory}/run/knot.sock
log:
  - target: stderr
    any: info
database:
  storage: {directory}/keys
policy:
  - id: quick
    algorithm: ecdsap256sha256
    single-type-signing: on
template:
  - id: default
    storage: {directory}/zones
    zonefile-sync: -1
    zonefile-load: difference-no-serial
    journal-content: all
    serial-policy: increment
    semantic-checks: off
"""

_UNBOUND = """
server:
  directory: "{directory}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  verbosity: 1
  val-log-level: 2
  num-threads: 1
  interface: {address}@{port}
  access-control: 127.0.0.0/8 allow
  access-control: ::1 allow
  do-not-query-localhost: no
  # From here a packet can only reach loopback.
  outgoing-interface: 127.0.0.1
  do-ip6: no
  module-config: "validator iterator"
  # A test changes a record and asks again.
  cache-max-ttl: 0
  cache-max-negative-ttl: 0
"""
