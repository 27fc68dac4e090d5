"""Settings of the process itself: who we are, where we listen, certificates, logs."""

import importlib.util
import ipaddress
import os
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from postroad.runtime.config.values import (
    Endpoint,
    Endpoints,
    Hostname,
    OptionalHostname,
    OptionalPath,
    Seconds,
    Section,
    Switch,
)


class LogFormat(Enum):
    """How log lines look."""

    AUTO = "auto"
    TEXT = "text"
    JSON = "json"


class AcmeMode(Enum):
    """How names are proved to an authority, if certificates come from one."""

    OFF = "off"
    HTTP_01 = "http-01"
    DNS_01 = "dns-01"


class ServerSection(Section):
    """Who this server is, where it keeps its data, and as whom it runs."""

    hostname: Hostname = Field(
        description="The public name of this machine, as its MX and PTR records say it. It stands in "
        "greetings, EHLO, Received fields and made-up Message-IDs. There is no default.",
    )
    origin: OptionalHostname = Field(
        default="",
        description="The domain of names without one, such as `root`, in what the `sendmail` command is "
        "given; left empty, `hostname`.",
    )
    data_dir: Path = Field(
        default=Path("/var/lib/postroad"),
        description="The directory of the store: queue, mailboxes, accounts.",
    )
    user: str = Field(
        default="",
        description="The user to become once the ports are bound. Needed where the server is started "
        "by root.",
    )
    group: str = Field(
        default="", description="The group to become; left empty, the user's own group."
    )
    run_as_root: Switch = Field(
        default=False,
        description="Stay root instead of changing to `user`. Only for containers and laboratories.",
    )
    node: str = Field(
        default="",
        max_length=64,
        description="The name of this process among those that share a store; left empty, one that the "
        "store made up.",
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Processes that share the ports and the store. Connection limits and the memory of "
        "failed logins are each worker's own. See docs/notes/040-workers.md.",
    )
    grace_seconds: Seconds = Field(
        default=30.0,
        ge=0,
        le=3600,
        description="How long SIGTERM waits for transactions in flight before it cuts them.",
    )


def _everywhere(port: int) -> tuple[Endpoint, ...]:
    return (Endpoint("*", port),)


def _near(endpoints: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    for each in endpoints:
        address = None if each.host == "*" else ipaddress.ip_address(each.host)
        if address is None or address.is_unspecified or not address.is_private:
            raise ValueError(
                f"{each} can be reached by strangers, and metrics have no password; "
                "write a loopback or private address, as in '127.0.0.1:9587'"
            )
    return endpoints


class ListenSection(Section):
    """Addresses and ports, as lists of `address:port`. `*` stands for all addresses, IPv4 and IPv6;
    an empty list turns a service off. Where the usual ports need privileges that you do not have,
    the customary others are 2525, 5587, 4465, 1110 and 9995.
    """

    mx: Endpoints = Field(
        default=_everywhere(25), description="Mail from other servers (SMTP with STARTTLS)."
    )
    submission: Endpoints = Field(
        default=_everywhere(587), description="Mail from users (SMTP with STARTTLS, login needed)."
    )
    submissions: Endpoints = Field(
        default=_everywhere(465), description="Mail from users, TLS from the first byte (RFC 8314)."
    )
    pop3: Endpoints = Field(default=_everywhere(110), description="POP3 with STLS.")
    pop3s: Endpoints = Field(
        default=_everywhere(995), description="POP3, TLS from the first byte (RFC 8314)."
    )
    acme: Endpoints = Field(
        default=_everywhere(80),
        description='Where the authority looks for proofs (HTTP); only with `tls.acme = "http-01"`, '
        "and nothing else is served there.",
    )
    mta_sts: Endpoints = Field(
        default=(),
        description="The MTA-STS policy of our domains by HTTPS, usually `*:443`; the certificate must "
        "be valid for `mta-sts.DOMAIN` of each. Off unless set: a web server of yours may do it.",
    )
    http: Endpoints = Field(
        default=(),
        description="The HTTP API without TLS, usually `127.0.0.1:8025`; only on loopback, unless "
        "`http.plain_anywhere` is set. Off unless set.",
    )
    https: Endpoints = Field(
        default=(),
        description="The HTTP API by HTTPS, with the certificate of `tls`. Off unless set.",
    )
    metrics: Annotated[Endpoints, AfterValidator(_near)] = Field(
        default=(),
        description="Metrics for Prometheus (`/metrics`, HTTP), usually `127.0.0.1:9587`. There is no "
        "password, so only loopback and private addresses are taken. Off unless set.",
    )
    local: OptionalPath = Field(
        default=Path("/run/postroad/submit.sock"),
        description="UNIX socket of the `sendmail` command; the peer's user is its identity. "
        "Empty turns it off.",
    )
    local_mode: str = Field(
        default="0666",
        pattern=r"^0?[0-7]{3}$",
        description="Permissions of that socket, in octal: who may send as a local user.",
    )
    backlog: int = Field(
        default=1024, ge=1, le=65535, description="Connections that wait to be taken, per port."
    )

    @property
    def services(self) -> dict[str, tuple[Endpoint, ...]]:
        """The TCP services by name."""
        return {name: getattr(self, name) for name in TCP_SERVICES}


TCP_SERVICES = (
    "mx",
    "submission",
    "submissions",
    "pop3",
    "pop3s",
    "mta_sts",
    "acme",
    "http",
    "https",
    "metrics",
)
IMPLICIT_TLS_SERVICES = frozenset({"submissions", "pop3s", "mta_sts", "https"})


class TlsSection(Section):
    """Certificate and key of this server, and whom it believes. Files that change are read anew."""

    certificate: OptionalPath = Field(
        default=None,
        description="PEM file with the certificate and its chain. Without it no TLS is offered, "
        "nobody can log in, and `submissions` and `pop3s` are off.",
    )
    key: OptionalPath = Field(
        default=None, description="PEM file with its private key, unencrypted."
    )
    acme: AcmeMode = Field(
        default=AcmeMode.OFF,
        description="Get and renew the certificate from an authority (section `acme`), which sees the "
        "names proved on port 80 (`http-01`) or in the DNS (`dns-01`).",
    )
    watch_seconds: Seconds = Field(
        default=10.0,
        ge=0,
        le=86_400,
        description="How often to look whether the files have changed; they are then used for new "
        "connections. 0: only at SIGHUP.",
    )
    ca_file: OptionalPath = Field(
        default=None,
        description="PEM file of the authorities that other servers' certificates are verified "
        "against; left empty, those of the system.",
    )

    @model_validator(mode="after")
    def _both(self) -> "TlsSection":
        if (self.certificate is None) != (self.key is None):
            missing = "key" if self.key is None else "certificate"
            raise ValueError(f"certificate and key belong together, and {missing} is not set")
        if self.certificate is not None and self.acme is not AcmeMode.OFF:
            raise ValueError("certificate and key are files of yours, or acme is on: not both")
        return self


class LogSection(Section):
    """Log lines, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least important lines to write."
    )
    format: LogFormat = Field(
        default=LogFormat.AUTO,
        description="`json`: an object per line; `text`: for people; `auto`: text in a terminal, else "
        "json.",
    )
    mail: Switch = Field(
        default=False,
        description="Write a line for each thing that happens to a message (accepted, delivered, "
        "deferred, bounced …), with its id. `postroad journey` has all of it, too.",
    )


class TelemetrySection(Section):
    """OpenTelemetry traces: one for each message, sent when its last delivery has ended. Needs the extra
    `postroad[otel]`.
    """

    endpoint: str = Field(
        default="",
        pattern=r"^(https?://[^\s]+)?$",
        description="Where a collector takes traces (OTLP over HTTP), usually "
        "`http://127.0.0.1:4318/v1/traces`. Off unless set.",
    )
    timeout_seconds: Seconds = Field(
        default=10.0, ge=0.1, le=300, description="Sending some traces to it, all together."
    )

    @model_validator(mode="after")
    def _is_installed(self) -> "TelemetrySection":
        if self.endpoint and not _has_otel():
            raise ValueError(
                "telemetry.endpoint is set, and what sends traces is not installed; "
                "say: pip install 'postroad[otel]'"
            )
        return self


def _has_otel() -> bool:
    try:
        return importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:  # a part of the name
        return False


def is_root() -> bool:
    """Whether this process runs as root."""
    return hasattr(os, "geteuid") and os.geteuid() == 0
