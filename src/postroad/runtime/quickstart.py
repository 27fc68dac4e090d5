"""From nothing to a mail server for a domain: configuration, certificate, account, DNS, systemd."""

import json
import os
import pwd
import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from postroad.model import Address
from postroad.runtime.certificate import is_self_signed, write_self_signed
from postroad.runtime.config import Config, load_config
from postroad.runtime.config.server import is_root
from postroad.runtime.office import Office
from postroad.runtime.own_setup import ports_for_people
from postroad.service.domain_check import DkimKey, Record, Setup, wanted_records, zone_file
from postroad.service.keys import signing_key

CONFIG_NAME = "postroad.toml"
_STANDARD_PORTS = {"mx": 25, "submission": 587, "submissions": 465, "pop3": 110, "pop3s": 995}
_PLACEHOLDERS = ("192.0.2.1", "2001:db8::1")
_HIGH_PORTS = {"mx": 2525, "submission": 5587, "submissions": 4465, "pop3": 1110, "pop3s": 9995}


class AlreadyThere(Exception):
    """A configuration is there already and `force` was not said."""


class Plan(Struct, frozen=True):
    """What to set up. `directory` is that of the configuration; `data_dir` that of the store; `http`
    where the web app is on loopback, ``""``: nowhere.
    """

    domain: str
    hostname: str
    directory: Path
    data_dir: Path
    socket: Path
    user: str
    system_wide: bool
    first_account: Address
    http: str = ""

    @property
    def config_file(self) -> Path:
        """The configuration file."""
        return self.directory / CONFIG_NAME

    @property
    def certificate(self) -> Path:
        """The certificate file."""
        return self.directory / "tls" / "certificate.pem"

    @property
    def key(self) -> Path:
        """The key file."""
        return self.directory / "tls" / "key.pem"


class Done(Struct, frozen=True):
    """What was set up; `password` is None where the account was there already; `dkim` are the keys of
    the domain.
    """

    config: Config
    self_signed: bool
    password: str | None
    dkim: tuple[DkimKey, ...] = ()


def make_plan(
    domain: str,
    *,
    hostname: str | None = None,
    directory: Path | None = None,
    account: str = "postmaster",
) -> Plan:
    """Choose the places: those of the system for root, else everything below `directory`."""
    system_wide = directory is None and is_root()
    base = directory or (Path("/etc/postroad") if system_wide else Path.cwd() / "postroad")
    base = base.absolute()
    return Plan(
        domain=domain,
        hostname=hostname or f"mail.{domain}",
        directory=base,
        data_dir=Path("/var/lib/postroad") if system_wide else base / "data",
        socket=Path("/run/postroad/submit.sock") if system_wide else base / "submit.sock",
        user="postroad" if system_wide else "",
        system_wide=system_wide,
        first_account=Address(account, domain),
    )


def write_files(plan: Plan, *, force: bool = False) -> None:
    """Write configuration and, where there is none, a certificate.

    Raises `AlreadyThere`, `OSError`.
    """
    if plan.config_file.exists() and not force:
        raise AlreadyThere(
            f"{plan.config_file} is there already; --force writes it anew (accounts and mail stay)"
        )
    plan.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    plan.key.parent.mkdir(mode=0o750, exist_ok=True)
    if not (plan.certificate.exists() and plan.key.exists()):
        write_self_signed(plan.certificate, plan.key, (plan.hostname, plan.domain))
    temporary = plan.config_file.with_suffix(".new")
    temporary.write_text(config_text(plan), encoding="utf-8")
    temporary.replace(plan.config_file)


def add_ports(plan: Plan, *, http: str) -> Plan:
    """Return the plan with the web app at this address of loopback, and over TLS for others."""
    return replace(plan, http=http)


async def set_up(plan: Plan, password: str | None = None, *, operator: bool = False) -> Done:
    """Make the domain and the first account in the store, with a password of its own where none is
    given. What is there already stays as it is.
    """
    config = load_config(plan.config_file, {})
    plan.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = None
    async with Office.open(config) as office:
        if await office.domains.get(plan.domain) is None:
            await office.domains.add(plan.domain)
        if await office.directory.account(plan.first_account) is None:
            _, made = await office.accounts.add(plan.first_account, password, operator=operator)
        for name in ("postmaster", "root"):
            await _lead_to_first(office, Address(name, plan.domain), plan.first_account)
        if not office.keys.all(plan.domain):
            await office.keys.add(plan.domain)
        keys = tuple(
            DkimKey(each.selector, signing_key(each).record())
            for each in office.keys.all(plan.domain)
        )
    _give_to_user(plan)
    return Done(config, is_self_signed(plan.certificate), made, keys)


async def _lead_to_first(office: Office, address: Address, first: Address) -> None:
    """RFC 5321 §4.5.1 asks for postmaster; programs of the machine write to root."""
    directory = office.directory
    if await directory.account(address) is None and await directory.alias(address) is None:
        await office.aliases.add(address, (first,))


def _give_to_user(plan: Plan) -> None:
    """What root made is the server's."""
    if not plan.user:
        return
    try:
        user = pwd.getpwnam(plan.user)
    except KeyError:
        return  # systemd's StateDirectory= does it when the user is there; next_steps says so
    for path in (plan.data_dir, plan.key.parent):
        for each in (path, *path.rglob("*")):
            os.chown(each, user.pw_uid, user.pw_gid)


def _user_line(plan: Plan) -> str:
    if plan.user:
        return f'user = "{plan.user}"  # started as root, the server becomes this user\n'
    if is_root():
        return (
            "# Root made this directory to try things out. For real mail, name a user here instead.\n"
            "run_as_root = true\n"
        )
    return ""


def config_text(plan: Plan) -> str:
    """Return the configuration file, commented."""
    ports = _STANDARD_PORTS if plan.system_wide else _HIGH_PORTS
    listen = "\n".join(f'{service} = ["*:{port}"]' for service, port in ports.items())
    if plan.http:
        https = 443 if plan.system_wide else 8443
        listen += (
            f'\n# The web app: for this machine, and over TLS for all.\nhttp = ["{plan.http}"]'
        )
        listen += f'\nhttps = ["*:{https}"]'
    user = _user_line(plan)
    why_high = (
        ""
        if plan.system_wide
        else "# Ports that need no privileges; the usual ones are 25, 587, 465, 110 and 995.\n"
    )
    return f"""\
# Postroad for {plan.domain}. All settings: postroad config describe
# Check after a change: postroad config check. Bring it into force: systemctl reload postroad

[server]
# The public name of this machine: its MX, A, AAAA and PTR records should say the same.
hostname = "{plan.hostname}"
# Mail of this machine's programs to plain names, such as root, goes to that name here.
origin = "{plan.domain}"
data_dir = {_quoted(plan.data_dir)}
{user}
[listen]
{why_high}{listen}
# Where the sendmail command of this machine hands mail in.
local = {_quoted(plan.socket)}

[tls]
# Signed by itself, until a real one is in its place (SIGHUP reads it anew). The server's user must be
# able to read the key.
certificate = {_quoted(plan.certificate)}
key = {_quoted(plan.key)}

# To send all mail that leaves through another server:
# [routes."*"]
# via = "relay.example.org:587"
# username = "{plan.domain}"
# password_file = {_quoted(plan.directory / "relay-password")}

[log]
level = "info"
"""


def _quoted(path: Path) -> str:
    return json.dumps(str(path), ensure_ascii=False)


def records_of(domain: str, done: Done, addresses: Sequence[str] = ()) -> list[Record]:
    """Return the records to publish; where no addresses are given, with placeholders."""
    setup = Setup(
        hostname=done.config.server.hostname,
        addresses=tuple(addresses) or _PLACEHOLDERS,
        ports=ports_for_people(done.config),
        keys=done.dkim,
    )
    return wanted_records(domain, setup)


def dns_records(domain: str, config: Config, keys: Sequence[DkimKey] = ()) -> str:
    """Return the records to publish, as a zone file has them, with those of `keys`.

    Addresses are placeholders.
    """
    setup = Setup(
        hostname=config.server.hostname,
        addresses=_PLACEHOLDERS,
        ports=ports_for_people(config),
        keys=tuple(keys),
    )
    records = wanted_records(domain, setup)
    ours = zone_file(each for each in records if each.type != "PTR")
    reverse = zone_file(each for each in records if each.type == "PTR")
    return f"""\
; in the zone of {domain}; put this machine's public addresses in place of {" and ".join(_PLACEHOLDERS)}
; where the domain is in use already, postroad domain records {domain} keeps what is published
; mail is signed as soon as the keys are seen (postroad key check {domain})
{ours}; set by the provider of the addresses
{reverse}"""


def service_user(plan: Plan) -> str:
    """Return whom the service runs as: the user of the system's server, else who made the directory."""
    if plan.user or is_root():
        return plan.user or "postroad"
    return pwd.getpwuid(os.getuid()).pw_name


def _program() -> Path:
    program = Path(sys.argv[0]).absolute()
    return program if program.name == "postroad" else Path(sys.executable).with_name("postroad")


def _is_below(path: Path, *directories: str) -> bool:
    return any(path.is_relative_to(each) for each in directories)


def _writable_places(plan: Plan) -> str:
    """Everything else is read-only for the service."""
    if plan.system_wide:
        return """\
StateDirectory=postroad
StateDirectoryMode=0700
RuntimeDirectory=postroad
RuntimeDirectoryMode=0755"""
    return f"ReadWritePaths={plan.directory}"


def systemd_unit(plan: Plan) -> str:
    """Return a hardened systemd unit. The service is never root, not even to bind its ports.

    What it says is understood from systemd 247 on (Debian 11).
    """
    program = _program()
    places = (program, plan.directory)
    home = "read-only" if any(_is_below(path, "/home", "/root") for path in places) else "yes"
    private_tmp = "no" if any(_is_below(path, "/tmp", "/var/tmp") for path in places) else "yes"
    user = service_user(plan)
    return f"""\
# /etc/systemd/system/postroad.service
[Unit]
Description=Postroad mail server
Documentation=man:systemd.exec(5)
After=network-online.target nss-lookup.target
Wants=network-online.target

[Service]
Type=notify
ExecStart={program} serve --config {plan.config_file}
ExecReload=/bin/kill -HUP $MAINPID
User={user}
{_writable_places(plan)}
UMask=0077
Restart=on-failure
RestartSec=2
TimeoutStopSec=60
WatchdogSec=60
LimitNOFILE=65536

AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome={home}
PrivateTmp={private_tmp}
PrivateDevices=yes
ProtectHostname=yes
ProtectClock=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectProc=invisible
ProcSubset=pid
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""
