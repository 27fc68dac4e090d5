"""The configuration of a mail system of the lab."""

from pathlib import Path

from msgspec import Struct

from postroad.lab.addresses import Ports
from postroad.lab.ca import Leaf
from postroad.runtime.config import Config


class Shape(Struct, frozen=True, kw_only=True):
    """What all systems of a lab have in common: ports, name server, the port of MTA-STS policies, whom
    they trust, how patient they are (seconds), whether each has an address of its own to connect from.
    """

    ports: Ports
    nameserver: str
    policy_port: int
    ca_file: Path
    patience_seconds: float
    retry_seconds: float
    own_address: bool


def site_config(shape: Shape, hostname: str, address: str, home: Path, leaf: Leaf) -> Config:
    """Return the configuration of a system that listens on `address` and lives in `home`."""
    patience, retry = shape.patience_seconds, shape.retry_seconds
    return Config.model_validate(
        {
            "server": {"hostname": hostname, "data_dir": home / "data", "run_as_root": True},
            "listen": {
                "local": None,
                **{name: [f"{address}:{port}"] for name, port in shape.ports.services.items()},
            },
            "tls": {
                "certificate": leaf.certificate,
                "key": leaf.key,
                "ca_file": shape.ca_file,
            },
            "delivery": {
                "port": shape.ports.mx or 25,
                "allow_private": True,
                "source_ipv4": address if shape.own_address else "",
                "nameservers": [shape.nameserver],
                "route_cache_seconds": 0,
                "mta_sts_port": shape.policy_port,
                "mta_sts_fetch_seconds": patience,
                "mta_sts_retry_seconds": 0,
                "dns_timeout_seconds": max(0.1, patience / 2),
                "dns_total_seconds": patience,
                "connect_seconds": patience,
                "tls_handshake_seconds": patience,
                "greeting_seconds": patience,
                "command_seconds": patience,
                "data_seconds": patience,
                "end_seconds": patience,
                "idle_seconds": 1,
            },
            "webhooks": {"allow_private": True, "poll_seconds": 0.1, "probe_seconds": 0.2},
            # Many systems, and hardly any load: no processes of their own to sign and to write.
            "trust": {"signers": 0},
            "storage": {"writer_process": False},
            "queue": {
                "retry_first_seconds": retry,
                "retry_max_seconds": 8 * retry,
                "backoff_first_seconds": retry,
                "backoff_max_seconds": 8 * retry,
                "retry_jitter": 0,
                "poll_seconds": 0.2,
            },
            "log": {"level": "error"},
        }
    )


def fresh_home(directory: Path, hostname: str) -> Path:
    """Return a directory that is not there yet: the same name may come again, with an empty store."""
    home = directory / hostname
    number = 1
    while home.exists():
        number += 1
        home = directory / f"{hostname}-{number}"
    return home
