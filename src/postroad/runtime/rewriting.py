"""The secrets that sign senders of mail that we pass on, and return paths and links in mail of ours."""

import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

from postroad.model import Address
from postroad.ports import StorageError
from postroad.runtime.config import Config
from postroad.trust.link_token import LinkTokens
from postroad.trust.return_path import ReturnPaths
from postroad.trust.srs import Srs

_SECRET_OCTETS = 32


def make_srs(config: Config) -> Srs | None:
    """Return what rewrites senders, None where that is off.

    Makes a secret in the data directory (which must be there) where none is set. Raises `OSError`, and
    `StorageError` for a file that holds too little.
    """
    section = config.forwarding
    if not section.rewrite_sender:
        return None
    if section.secret:
        old = tuple(each.encode() for each in section.old_secrets)
        return Srs(section.secret.encode(), old)
    path = config.server.data_dir / "srs.key"
    try:
        return Srs(_secret_in(path))
    except ValueError as error:
        raise StorageError(f"{path}: {error}; remove it, and a new one is made") from None


def make_return_paths(config: Config, secret: bytes) -> ReturnPaths:
    """Return what makes and reads return paths, with a secret derived from the store's."""
    derived = hmac.digest(secret, b"postroad return paths", "sha256")
    return ReturnPaths(derived, config.bounces.valid_days)


def make_link_tokens(secret: bytes) -> LinkTokens:
    """Return what makes and reads links, with a secret derived from the store's."""
    return LinkTokens(hmac.digest(secret, b"postroad links", "sha256"))


def return_bases(config: Config) -> dict[str, Address]:
    """Return what the return paths of a stream are made of, for the streams that have any."""
    return {
        name: Address.parse(section.return_path)
        for name, section in config.streams.items()
        if section.return_path
    }


def _secret_in(path: Path) -> bytes:
    with suppress(FileNotFoundError):
        return path.read_bytes().strip()
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_urlsafe(_SECRET_OCTETS).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        with suppress(FileExistsError):
            os.link(fresh, path)  # whoever comes first: all use the same
    finally:
        fresh.unlink()
    return path.read_bytes().strip()
