"""What is wrong with a configuration beyond its values: files that cannot be used, and odd choices."""

from pathlib import Path

from postroad.network import ServerTls, TlsFilesInvalid
from postroad.runtime import settings
from postroad.runtime.config import AcmeMode, Config


def problems_of(config: Config) -> list[str]:
    """Return a line for each problem; an empty list: a server would start, if its ports are free."""
    return [
        *_tls_problems(config),
        *_data_problems(config),
        *_route_problems(config),
        *_listen_problems(config),
    ]


def _tls_problems(config: Config) -> list[str]:
    tls = config.tls
    problems = []
    if config.tls.acme is not AcmeMode.OFF:
        pass  # what is missing there is made and fetched
    elif tls.certificate is None or tls.key is None:
        if config.submission.auth_required and not config.submission.auth_without_tls:
            problems.append(
                "tls.certificate is not set, so nobody can log in to send; "
                "set it (postroad quickstart writes one to begin with), or tls.acme"
            )
    else:
        try:
            ServerTls(tls.certificate, tls.key)
        except TlsFilesInvalid as error:
            problems.append(f"tls: {error}; the server's user must be able to read both")
    if tls.ca_file is not None and not tls.ca_file.is_file():
        problems.append(f"tls.ca_file = {str(tls.ca_file)!r}: there is no such file")
    return problems


def _data_problems(config: Config) -> list[str]:
    path = config.server.data_dir
    if path.exists() and not path.is_dir():
        return [f"server.data_dir = {str(path)!r} is not a directory"]
    if not path.is_absolute():
        return [f"server.data_dir = {str(path)!r} is not an absolute path"]
    return []


def _route_problems(config: Config) -> list[str]:
    try:
        settings.remote(config)
    except (OSError, ValueError) as error:
        return [f"routes: {error}"]
    return []


def _listen_problems(config: Config) -> list[str]:
    seen: dict[str, str] = {}
    problems = []
    for service, endpoints in config.listen.services.items():
        for endpoint in endpoints:
            name = str(endpoint)
            if endpoint.port and name in seen:
                problems.append(f"listen.{service}: {name} is in listen.{seen[name]} already")
            seen.setdefault(name, service)
    socket = config.listen.local
    # sun_path has room for 108 octets with its NUL.
    if socket is not None and len(bytes(Path(socket))) > 107:
        problems.append(
            f"listen.local: {str(socket)!r} is longer than the 107 octets a socket may have"
        )
    return problems
