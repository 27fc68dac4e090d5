"""A Dovecot of one's own: POP3, IMAP and LMTP on loopback over a directory of Maildirs.

Every user name exists and has the same password; a Maildir is made when it is first needed. As
root it runs like an installed Dovecot, with its log-in processes under users of their own;
without root everything runs as the caller. Settings are those of Dovecot 2.3.
"""

import grp
import os
import pwd
import re
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from peers.tools import (
    LOOPBACK,
    PeerUnavailable,
    Process,
    choose_port,
    find,
    private_directory,
    run,
)

_MAIL_OWNER = "nobody"
_INDEX_FILES = ("dovecot.index*", "dovecot.list.index*", "dovecot-uidlist*", "dovecot-uidvalidity*")


class Dovecot:
    """A Dovecot on a loopback address, from `__enter__` to `__exit__`.

    Ports not given are free ones. `settings` are further lines of dovecot.conf, and win over ours.

    Raises `MissingTool` when Dovecot or one of its protocols is not installed, `PeerUnavailable`
    when its version is not 2.3, and `PeerFailed` with the log when it does not start.
    """

    password = "secret"

    def __init__(
        self,
        address: str = LOOPBACK,
        *,
        pop3_port: int | None = None,
        imap_port: int | None = None,
        lmtp_port: int | None = None,
        host_name: str = "dovecot.test",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.address = address
        self.pop3_port = choose_port(address, pop3_port)
        self.imap_port = choose_port(address, imap_port)
        self.lmtp_port = choose_port(address, lmtp_port)
        self.host_name = host_name
        self._settings = dict(settings or {})
        owner = _MAIL_OWNER if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self._owner = pwd.getpwnam(owner)
        self._stack = ExitStack()
        self._directory: Path | None = None
        self._process: Process | None = None

    def __enter__(self) -> Self:
        program = find("dovecot")
        version = run([program, "--version"]).decode().split()[0]
        if not version.startswith("2.3."):
            raise PeerUnavailable(f"Dovecot is {version}, and these settings are for 2.3")
        with ExitStack() as stack:
            self._directory = stack.enter_context(private_directory("dovecot"))
            mail = self._directory / "mail"
            mail.mkdir()
            os.chown(mail, self._owner.pw_uid, self._owner.pw_gid)
            config = self._directory / "dovecot.conf"
            config.write_text(self._config(self._directory))
            self._process = stack.enter_context(
                Process([program, "-F", "-c", config], self._directory / "dovecot.out")
            )
            for port in (self.pop3_port, self.imap_port, self.lmtp_port):
                self._process.wait_for_port(self.address, port)
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
        """The directory of the instance: dovecot.conf, run, mail and log."""
        if self._directory is None:
            raise RuntimeError("this Dovecot has not been entered by `with`")
        return self._directory

    def _config(self, directory: Path) -> str:
        settings = {
            "protocols": "pop3 imap lmtp",
            "listen": self.address,
            "hostname": self.host_name,
            "base_dir": f"{directory}/run",
            "state_dir": f"{directory}/state",
            "log_path": f"{directory}/dovecot.log",
            "ssl": "no",
            "disable_plaintext_auth": "no",
            "auth_username_format": "%Lu",
            "mail_location": f"maildir:{directory}/mail/%u",
            "mail_uid": str(self._owner.pw_uid),
            "mail_gid": str(self._owner.pw_gid),
            "first_valid_uid": "1",
            "first_valid_gid": "1",
            "mail_max_userip_connections": "0",
            "default_client_limit": "4096",
            "default_process_limit": "1000",
        }
        if os.geteuid() != 0:
            settings |= {
                "default_login_user": self._owner.pw_name,
                "default_internal_user": self._owner.pw_name,
                "default_internal_group": grp.getgrgid(self._owner.pw_gid).gr_name,
            }
        settings |= self._settings
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        return lines + _SECTIONS.format(
            password=self.password,
            uid=self._owner.pw_uid,
            gid=self._owner.pw_gid,
            home=f"{directory}/mail",
            address=self.address,
            pop3_port=self.pop3_port,
            imap_port=self.imap_port,
            lmtp_port=self.lmtp_port,
            processes=os.cpu_count() or 1,
            chroot="" if os.geteuid() == 0 else "chroot =",
        )

    def maildir(self, user: str) -> Path:
        """Return where a user's Maildir is, or will be."""
        return self.directory / "mail" / user

    def messages(self, user: str) -> list[bytes]:
        """Return a user's inbox as it is on disk, oldest first; lines end in LF."""
        directory = self.maildir(user)
        paths = [path for part in ("new", "cur") for path in (directory / part).glob("*")]
        paths.sort(key=lambda path: (path.stat().st_mtime_ns, path.name))
        return [path.read_bytes() for path in paths]

    def fill(self, user: str, count: int, size_bytes: int, *, named_sizes: bool = True) -> None:
        """Put messages straight into a user's inbox, beside what is there.

        `size_bytes` counts octets as POP3 tells them (CRLF ends a line), at least 256. With
        `named_sizes` the file names hold S= and W=, as those that Dovecot delivers itself;
        without, Dovecot has to read each file to learn its size, as with mail from Postfix.
        """
        directory = self.maildir(user)
        for part in (directory, *(directory / name for name in ("new", "cur", "tmp"))):
            part.mkdir(exist_ok=True)
            os.chown(part, self._owner.pw_uid, self._owner.pw_gid)
        begin = time.time_ns()
        host = socket.gethostname()
        for number, content in enumerate(generated_messages(user, count, size_bytes)):
            stored = content.replace(b"\r\n", b"\n")
            name = f"{begin // 10**9}.M{begin // 1000 % 10**6}N{number:07}P{os.getpid()}.{host}"
            if named_sizes:
                name += f",S={len(stored)},W={len(content)}"
            path = directory / "new" / name
            path.write_bytes(stored)
            os.chown(path, self._owner.pw_uid, self._owner.pw_gid)

    def drop_index(self, user: str, *, keep_uids: bool = True) -> None:
        """Remove what Dovecot has remembered of a user's inbox, so that the next look is cold.

        Without `keep_uids` every message gets a new UID too, hence a new UIDL.
        """
        patterns = _INDEX_FILES[:2] if keep_uids else _INDEX_FILES
        for pattern in patterns:
            for path in self.maildir(user).glob(pattern):
                path.unlink(missing_ok=True)

    def empty(self, user: str) -> None:
        """Remove a user's Maildir with all its mail."""
        shutil.rmtree(self.maildir(user), ignore_errors=True)

    def log(self) -> str:
        """Return what it has logged so far."""
        log = self.directory / "dovecot.log"
        return log.read_text(errors="replace") if log.exists() else ""


def generated_messages(user: str, count: int, size_bytes: int) -> Iterator[bytes]:
    """Yield messages of exactly this size with CRLF line ends, each with its own header."""
    line = b"The quick brown fox jumps over the lazy dog, 0123456789 times this day.....\r\n"
    header = (
        b"From: Sender <sender@source.test>\r\nTo: <%b>\r\nSubject: message %07d\r\n"
        b"Message-ID: <%07d@source.test>\r\nDate: Mon, 02 Jan 2023 03:04:05 +0000\r\n\r\n"
    )
    name = re.sub(r"[^\x21-\x7e]", "?", user).encode()
    room = size_bytes - len(header % (name, 0, 0))
    if room < len(line):
        raise ValueError(f"a message of {size_bytes} octets has no room for its header")
    lines, rest = divmod(room, len(line))
    # What is left over lengthens the last line, which stays far below 998 octets.
    body = line * (lines - 1) + b"-" * rest + line
    for number in range(count):
        yield header % (name, number, number) + body


# Log-in processes as in "high-performance mode" of the Dovecot manual (LoginProcess).
_SECTIONS = """
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={home}/%u allow_all_users=yes
}}
service pop3-login {{
  inet_listener pop3 {{
    address = {address}
    port = {pop3_port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
  service_count = 0
  process_min_avail = {processes}
  client_limit = 1000
  {chroot}
}}
service imap-login {{
  inet_listener imap {{
    address = {address}
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = 0
  }}
  service_count = 0
  process_min_avail = {processes}
  client_limit = 1000
  {chroot}
}}
service pop3 {{
  service_count = 1000
  process_min_avail = {processes}
}}
service imap {{
  service_count = 1000
}}
service lmtp {{
  inet_listener lmtp {{
    address = {address}
    port = {lmtp_port}
  }}
  service_count = 1000
  process_min_avail = {processes}
}}
service auth {{
  # Every process that may exist may be connected to it.
  client_limit = 16384
}}
service anvil {{
  client_limit = 16384
  {chroot}
}}
service stats {{
  {chroot}
}}
"""
