"""What a private Postfix does with mail, and the main.cf and master.cf that say so.

Pure: values in, text out. `peers.postfix` writes the files and runs the instance.
"""

import grp
import pwd
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from peers.tools import find

CATCH_ALL = "catch-all"
MAILDIR_OWNER = "nobody"


@dataclass(frozen=True)
class Maildirs:
    """Receive mail for these domains into Maildirs, by virtual(8).

    With `users` only those local parts exist and all others are refused at RCPT. Without it every
    local part exists; such mail shares one Maildir a domain and is told apart by Delivered-To,
    for virtual(8) refuses tables that would compute a path.
    """

    domains: Sequence[str]
    users: Sequence[str] | None = None


@dataclass(frozen=True)
class Nowhere:
    """Refuse every domain that is not received here (reject_unauth_destination)."""


@dataclass(frozen=True)
class Discard:
    """Queue mail durably, then throw it away by discard(8): intake and nothing else."""


@dataclass(frozen=True)
class Relay:
    """Hand everything to one host (relayhost), which is an address, so that no DNS is asked."""

    host: str
    port: int


@dataclass(frozen=True)
class Routes:
    """Hand each domain to its host and port (transport_maps), bounce all others; no DNS."""

    hosts: Mapping[str, tuple[str, int]]


@dataclass(frozen=True)
class ByDns:
    """Deliver by MX and address records, asking a name server on port 53 of this address.

    Delivery goes to port 25 unless `port` says otherwise. The instance gets a resolv.conf of its
    own in a private mount namespace; the machine's is not touched.
    """

    server: str
    port: int = 25


Outbound = Nowhere | Discard | Relay | Routes | ByDns


def main_cf(
    directory: Path,
    address: str,
    host_name: str,
    local: Maildirs | None,
    outbound: Outbound,
    settings: Mapping[str, str],
) -> str:
    """Return main.cf; `settings` come last and win."""
    values = (
        _foundation(directory, address, host_name)
        | _tuning()
        | _receiving(directory, local)
        | _sending(directory, outbound)
        | dict(settings)
    )
    return "".join(f"{name} = {value}\n" for name, value in values.items())


def _foundation(directory: Path, address: str, host_name: str) -> dict[str, str]:
    return {
        "compatibility_level": "3.6",
        "queue_directory": f"{directory}/queue",
        "data_directory": f"{directory}/data",
        "daemon_directory": str(find("master").parent),
        "command_directory": str(find("postqueue").parent),
        "mail_owner": "postfix",
        "setgid_group": "postdrop",
        "maillog_file": f"{directory}/log/mail.log",
        "maillog_file_prefixes": str(directory),
        "myhostname": host_name,
        # Postfix refuses an address that no interface lists, as most of 127.0.0.0/8; master.cf
        # says where it listens.
        "inet_interfaces": "loopback-only",
        "inet_protocols": "ipv6" if ":" in address else "ipv4",
        # What it sends comes from its own address, so that a receiver can tell peers apart.
        "smtp_bind_address6" if ":" in address else "smtp_bind_address": address,
        "mynetworks": "127.0.0.0/8 [::1]/128",
        # No system users, no aliases: every recipient is virtual or remote.
        "mydestination": "",
        "local_recipient_maps": "",
        "alias_maps": "",
        "alias_database": "",
        "smtputf8_enable": "yes",
        # An empty list, so that 8BITMIME, CHUNKING, DSN and the others are all announced.
        "smtpd_discard_ehlo_keywords": "",
        "append_dot_mydomain": "no",
        "local_header_rewrite_clients": "",
    }


def _tuning() -> dict[str, str]:
    """Return what makes the instance as fast as it can be without giving up durability."""
    return {
        "default_process_limit": "200",
        "enable_long_queue_ids": "yes",
        "smtpd_peername_lookup": "no",
        # The pause that protects a disk from a burst would measure the pause.
        "in_flow_delay": "0",
        "smtpd_client_connection_count_limit": "0",
        "smtpd_client_connection_rate_limit": "0",
        "smtpd_error_sleep_time": "0",
        "smtpd_hard_error_limit": "1000",
        "smtpd_recipient_limit": "10000",
        "message_size_limit": "104857600",
        "mailbox_size_limit": "0",
        "virtual_mailbox_limit": "0",
        "biff": "no",
    }


def _receiving(directory: Path, local: Maildirs | None) -> dict[str, str]:
    if local is None:
        return {}
    return {
        "virtual_mailbox_domains": " ".join(local.domains),
        "virtual_mailbox_base": f"{directory}/mail",
        "virtual_mailbox_maps": f"texthash:{directory}/etc/mailboxes",
        "virtual_minimum_uid": "1",
        "virtual_uid_maps": f"static:{pwd.getpwnam(MAILDIR_OWNER).pw_uid}",
        "virtual_gid_maps": f"static:{pwd.getpwnam(MAILDIR_OWNER).pw_gid}",
    }


def _sending(directory: Path, outbound: Outbound) -> dict[str, str]:
    without_dns = {"smtp_dns_support_level": "disabled", "smtp_host_lookup": "native"}
    match outbound:
        case Nowhere():
            return {
                **without_dns,
                "smtpd_relay_restrictions": "reject_unauth_destination",
                # A bounce of refused mail must end here, not on somebody's real host.
                "default_transport": "discard:",
            }
        case Discard():
            return {**without_dns, "default_transport": "discard:", "relay_transport": "discard:"}
        case Relay(host, port):
            return {**without_dns, "relayhost": f"[{host}]:{port}"}
        case Routes():
            return {
                **without_dns,
                "transport_maps": f"texthash:{directory}/etc/routes",
                "default_transport": "error:5.1.2 no route to this domain",
            }
        case ByDns(port=port):
            # The smtp client's own port setting; transport maps cannot add a port to every MX.
            return {"smtp_host_lookup": "dns", "smtp_tcp_port": str(port)}


def mailboxes(local: Maildirs) -> str:
    """Return the table that gives each recipient its Maildir."""
    lines = []
    for domain in local.domains:
        if local.users is None:
            lines.append(f"@{domain} {domain}/{CATCH_ALL}/\n")
        lines.extend(f"{user}@{domain} {domain}/{user}/\n" for user in local.users or ())
    return "".join(lines)


def routes(outbound: Routes) -> str:
    """Return the transport table."""
    return "".join(
        f"{domain} smtp:[{host}]:{port}\n" for domain, (host, port) in outbound.hosts.items()
    )


def master_cf(address: str, port: int, services: Sequence[str]) -> str:
    """Return master.cf: every service a complete Postfix has, none in a chroot."""
    listener = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    # service type private unprivileged chroot wakeup maximum command
    lines = [
        f"{listener} inet n - n - - smtpd",
        "pickup unix n - n 60 1 pickup",
        "cleanup unix n - n - 0 cleanup",
        "qmgr unix n - n 300 1 qmgr",
        "tlsmgr unix - - n 1000? 1 tlsmgr",
        "rewrite unix - - n - - trivial-rewrite",
        "bounce unix - - n - 0 bounce",
        "defer unix - - n - 0 bounce",
        "trace unix - - n - 0 bounce",
        "verify unix - - n - 1 verify",
        "flush unix n - n 1000? 0 flush",
        "proxymap unix - - n - - proxymap",
        "proxywrite unix - - n - 1 proxymap",
        "smtp unix - - n - - smtp",
        "relay unix - - n - - smtp",
        "lmtp unix - - n - - lmtp",
        "showq unix n - n - - showq",
        "error unix - - n - - error",
        "retry unix - - n - - error",
        "discard unix - - n - - discard",
        "virtual unix - n n - - virtual",
        "local unix - n n - - local",
        "anvil unix - - n - 1 anvil",
        "scache unix - - n - 1 scache",
        "postlog unix-dgram n - n - 1 postlogd",
        *services,
    ]
    return "".join(f"{line}\n" for line in lines)


def directories() -> list[tuple[str, int, str, str]]:
    """Return the directories of an instance: path, mode, owner, group; parents first."""
    postfix_group = grp.getgrgid(pwd.getpwnam("postfix").pw_gid).gr_name
    private = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming")
    return [
        ("etc", 0o755, "root", "root"),
        ("log", 0o755, "root", "root"),
        ("data", 0o700, "postfix", postfix_group),
        ("mail", 0o755, MAILDIR_OWNER, grp.getgrgid(pwd.getpwnam(MAILDIR_OWNER).pw_gid).gr_name),
        ("queue", 0o755, "root", "root"),
        ("queue/pid", 0o755, "root", "root"),
        *((f"queue/{name}", 0o700, "postfix", postfix_group) for name in private),
        *((f"queue/{name}", 0o700, "postfix", postfix_group) for name in ("private", "saved")),
        ("queue/trace", 0o700, "postfix", postfix_group),
        ("queue/maildrop", 0o730, "postfix", "postdrop"),
        ("queue/public", 0o710, "postfix", "postdrop"),
    ]
