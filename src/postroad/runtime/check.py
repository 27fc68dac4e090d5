"""What is wrong with a configuration beyond its values: files that cannot be used, and odd choices."""

from collections.abc import Iterator
from pathlib import Path

from postroad.message.bounce.classify import RulesInvalid
from postroad.network import (
    AsyncNetwork,
    DnsResolver,
    ServerTls,
    SystemClock,
    SystemEntropy,
    TlsFilesInvalid,
)
from postroad.policy.checks.strangers import Action
from postroad.runtime import settings
from postroad.runtime.checks import ChecksInvalid, make_policy
from postroad.runtime.config import AcmeMode, Config
from postroad.runtime.config.load import place
from postroad.runtime.guards import Guards
from postroad.runtime.replies import make_classifier
from postroad.storage.memory import MemoryStore
from postroad.storage.moments import LocalMoments


def problems_of(config: Config, path: Path) -> list[str]:
    """Return a line for each problem; an empty list: a server would start, if its ports are free.

    Each names the file `path` (or the environment variable), key, value and the way to mend it.
    """
    return [
        *_tls_problems(config, path),
        *_data_problems(config, path),
        *_route_problems(config, path),
        *_oauth_problems(config, path),
        *_listen_problems(config, path),
        *_policy_problems(config, path),
        *_time_problems(config, path),
        *_rule_problems(config, path),
        *_stream_problems(config, path),
    ]


def _tls_problems(config: Config, path: Path) -> Iterator[str]:
    tls = config.tls
    if tls.acme is not AcmeMode.OFF:
        pass  # what is missing there is made and fetched
    elif tls.certificate is None or tls.key is None:
        if config.submission.auth_required and not config.submission.auth_without_tls:
            yield (
                f"{place(path, 'tls', 'certificate')}: is not set, so nobody can log in to send; "
                "set it and tls.key (postroad quickstart writes a pair to begin with), or tls.acme"
            )
    else:
        unreadable = False
        for key, file in (("certificate", tls.certificate), ("key", tls.key)):
            problem = _unreadable(file)
            if problem:
                unreadable = True
                yield (
                    f"{place(path, 'tls', key)} = {_quoted(file)}: {problem}; "
                    "name a PEM file that the server's user can read"
                )
        if not unreadable:
            try:
                ServerTls(tls.certificate, tls.key)
            except TlsFilesInvalid as error:
                yield (
                    f"{place(path, 'tls', 'certificate')}: {error}; "
                    "name the PEM files of a certificate and of the key that belongs to it"
                )
    if tls.ca_file is not None:
        problem = _unreadable(tls.ca_file)
        if problem:
            yield (
                f"{place(path, 'tls', 'ca_file')} = {_quoted(tls.ca_file)}: {problem}; "
                "name a PEM file, or leave it out for the authorities of the system"
            )


def _rule_problems(config: Config, path: Path) -> Iterator[str]:
    try:
        make_classifier(config)
    except OSError as error:
        yield (
            f"{place(path, 'bounces', 'rules')}: {error.filename}: {(error.strerror or '').lower()}; "
            "name files that the server's user can read"
        )
    except RulesInvalid as error:
        yield f"{place(path, 'bounces', 'rules')}: {error}; see docs/howto/handle-bounces.md"


def _stream_problems(config: Config, path: Path) -> Iterator[str]:
    served = config.listen.http or config.listen.https
    for name, section in config.streams.items():
        if section.writes_links and not served:
            yield (
                f"{path}: streams.{name}: the links in its mail would lead to nobody; set listen.https, "
                "or listen.http behind a proxy"
            )
        if section.dkim_domain and not config.trust.sign:
            yield (
                f"{path}: streams.{name}.dkim_domain = {section.dkim_domain}: nothing is signed, since "
                "trust.sign is false"
            )


def _data_problems(config: Config, path: Path) -> Iterator[str]:
    directory = config.server.data_dir
    where = f"{place(path, 'server', 'data_dir')} = {_quoted(directory)}"
    if directory.exists() and not directory.is_dir():
        yield f"{where}: is not a directory; name one, or a place where one can be made"
    elif not directory.is_absolute():
        yield f"{where}: is not an absolute path; begin it with /"


def _route_problems(config: Config, path: Path) -> Iterator[str]:
    for domain, rule in config.routes.items():
        try:
            rule.credentials  # noqa: B018  # reads the file
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
        except ValueError as error:
            reason = str(error)
        else:
            continue
        yield (
            f'{path}: routes."{domain}".password_file = {_quoted(rule.password_file)}: {reason}; '
            "name a file that the server's user can read, with the password in its first line"
        )


def _policy_problems(config: Config, path: Path) -> Iterator[str]:
    clock = SystemClock()
    try:
        guards = Guards(clock, AsyncNetwork(), MemoryStore().standing, LocalMoments())
        make_policy(config, clock, SystemEntropy(), DnsResolver(), guards)
    except ChecksInvalid as error:
        for problem in error.problems:
            yield f"{path}: {problem}"


def _time_problems(config: Config, path: Path) -> Iterator[str]:
    """What may take so long that the check is given up before: then all mail that waits for it gets 451,
    whatever is to follow where there is no answer.
    """
    abuse, trust, limit = config.abuse, config.trust, config.limits.check_seconds
    waits: list[tuple[str, str, float, int]] = []  # section, key, seconds, how often
    if trust.verify:
        waits += [
            ("trust", "spf_seconds", trust.spf_seconds, 1),
            ("trust", "key_seconds", trust.key_seconds, 1),
        ]
    if abuse.rspamd is not None or abuse.clamav is not None or abuse.milters:
        waits.append(("abuse", "scan_seconds", abuse.scan_seconds, 1))
    if abuse.dns_block_lists or abuse.dns_allow_lists:
        waits.append(("abuse", "dns_list_seconds", abuse.dns_list_seconds, 1))
    if abuse.reverse_dns is not Action.OFF:
        waits.append(("abuse", "reverse_dns_seconds", abuse.reverse_dns_seconds, 2))
    for section, key, seconds, times in waits:
        if seconds * times >= limit:
            often = f"waited for {times} times, it " if times > 1 else ""
            yield (
                f"{place(path, section, key)} = {seconds:g}: {often}is not below limits.check_seconds "
                f"= {limit:g}, when the whole check is given up with 451; lower it, or raise that"
            )


def _oauth_problems(config: Config, path: Path) -> Iterator[str]:
    for file in config.oauth.keys if config.oauth.issuer else ():
        where = f"{place(path, 'oauth', 'keys')}: {_quoted(file)}"
        problem = _unreadable(file)
        if problem:
            yield f"{where}: {problem}; name a PEM file that the server's user can read"
            continue
        try:
            settings.token_key(file)
        except ValueError as error:
            yield f"{where}: {error}; name a PEM file with the issuer's public key"


def _listen_problems(config: Config, path: Path) -> Iterator[str]:
    seen: dict[str, str] = {}
    for service, endpoints in config.listen.services.items():
        for endpoint in endpoints:
            name = str(endpoint)
            if endpoint.port and name in seen:
                yield (
                    f"{place(path, 'listen', service)} = {name}: is in listen.{seen[name]} already; "
                    "choose another port, or [] to turn the service off"
                )
            seen.setdefault(name, service)
    socket = config.listen.local
    # sun_path has room for 108 octets with its NUL.
    if socket is not None and len(bytes(Path(socket))) > 107:
        yield (
            f"{place(path, 'listen', 'local')} = {_quoted(socket)}: is longer than the 107 octets "
            "that the path of a socket may have; choose a shorter one"
        )


def _unreadable(path: Path) -> str:
    """Return why a file cannot be read, ``""`` where it can."""
    try:
        with path.open("rb"):
            return ""
    except OSError as error:
        return (error.strerror or str(error)).lower()


def _quoted(path: Path | None) -> str:
    return f'"{path}"'
