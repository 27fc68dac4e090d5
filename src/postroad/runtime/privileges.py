"""Who we run as: root binds the ports and becomes somebody else before it reads a byte from anyone."""

import contextlib
import grp
import os
import pwd
import resource
import sys
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from postroad.runtime.config import Config
from postroad.runtime.config.server import is_root
from postroad.storage.durable import make_directory

UMASK = 0o077


class PrivilegesRefused(Exception):
    """We will not run like this; the message says what to do."""


class Identity(Struct, frozen=True):
    """The user and groups to become."""

    user: str
    uid: int
    gid: int
    groups: tuple[int, ...]


def identity(config: Config) -> Identity | None:
    """Return whom to become, None where we stay who we are. Raises `PrivilegesRefused`."""
    server = config.server
    if not is_root():
        return None
    if not server.user:
        if server.run_as_root:
            return None
        raise PrivilegesRefused(
            "a mail server must not run as root: set server.user to an account of its own "
            "(as root: useradd --system --home-dir /var/lib/postroad --shell /usr/sbin/nologin "
            "postroad), or server.run_as_root = true in a container or laboratory"
        )
    try:
        user = pwd.getpwnam(server.user)
    except KeyError:
        raise PrivilegesRefused(
            f"server.user = {server.user!r}: there is no such user; make it by: "
            f"useradd --system --shell /usr/sbin/nologin {server.user}"
        ) from None
    if user.pw_uid == 0:
        raise PrivilegesRefused(f"server.user = {server.user!r} is root; name another user")
    gid = user.pw_gid
    if server.group:
        try:
            gid = grp.getgrnam(server.group).gr_gid
        except KeyError:
            raise PrivilegesRefused(
                f"server.group = {server.group!r}: there is no such group"
            ) from None
    return Identity(server.user, user.pw_uid, gid, tuple(os.getgrouplist(server.user, gid)))


def prepare_directory(path: Path, who: Identity | None) -> None:
    """Make the data directory, ours alone. Raises `PrivilegesRefused`."""
    try:
        fresh = not path.exists()
        make_directory(path)
        if fresh and who is not None:
            os.chown(path, who.uid, who.gid)
    except OSError as error:
        raise PrivilegesRefused(
            f"server.data_dir = {str(path)!r} cannot be made: {error.strerror}"
        ) from None


def give(path: Path, who: Identity) -> None:
    """Make `path` belong to whom we become."""
    os.chown(path, who.uid, who.gid)


def become(who: Identity) -> None:
    """Give root up, for good. Raises `OSError`."""
    os.setgroups(list(who.groups))
    os.setresgid(who.gid, who.gid, who.gid)
    os.setresuid(who.uid, who.uid, who.uid)
    with contextlib.suppress(PermissionError):
        os.setuid(0)
        raise RuntimeError("root could be had back after it was given up; not running like this")


def check_program(who: Identity, paths: Iterable[Path] | None = None) -> None:
    """See that the user we became can read the program: much of it is read only when it is needed.

    Raises `PrivilegesRefused`.
    """
    if paths is None:
        paths = (Path(sys.executable), Path(os.__file__), Path(__file__))
    for path in paths:
        if not os.access(path, os.R_OK):
            raise PrivilegesRefused(
                f"server.user = {who.user!r} cannot read {path}, which belongs to the program; "
                "install it where every user may read it, as in /opt or /usr, not below /root"
            )


def raise_file_limit() -> None:
    """Allow as many open files as we may: each connection is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def become_owner(path: Path) -> None:
    """Where root runs a command on the store of a server, go on as that server's user.

    Files that root made there (SQLite's write-ahead log) would shut the server out of its own store.
    """
    if not is_root():
        return
    try:
        found = path.stat()
    except FileNotFoundError:
        return
    if found.st_uid == 0:
        return
    try:
        name = pwd.getpwuid(found.st_uid).pw_name
        groups = os.getgrouplist(name, found.st_gid)
    except KeyError:
        name, groups = str(found.st_uid), [found.st_gid]
    become(Identity(name, found.st_uid, found.st_gid, tuple(groups)))
