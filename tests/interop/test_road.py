"""All real mail, along the whole road, read by three clients: byte for byte."""

import asyncio
import os
import poplib
import smtplib
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path

from peers.tools import find
from postroad.lab.clients import Mailserver
from postroad.lab.world import World
from tests.conformance.report import record
from tests.interop.conftest import Require
from tests.interop.real_mail import crlf, real_mail, unmatched

ALICE, BOB = "alice@sender.test", "bob@receiver.test"
BY_SWAKS = 40
CONNECTIONS = 8


async def test_all_real_mail_by_three_readers(tmp_path: Path, require: Require) -> None:
    for program in ("swaks", "mpop", "curl"):
        require(program)
    mail = real_mail()
    async with World() as world:
        await world.add_domain("sender.test", accounts=["alice"])
        await world.add_domain("receiver.test", accounts=["bob"])
        submission = world.mailserver("submission", ALICE)
        ca_file = world.ca.root_file
        shares = [mail[BY_SWAKS + offset :: CONNECTIONS] for offset in range(CONNECTIONS)]
        await asyncio.gather(
            asyncio.to_thread(by_swaks, submission, ca_file, mail[:BY_SWAKS], tmp_path),
            *(asyncio.to_thread(by_smtplib, submission, ca_file, share) for share in shares),
        )
        await world.wait_for(BOB, count=len(mail), timeout_seconds=120)
        reader = world.mailserver("pop3", BOB)
        # One session per mailbox at a time: the readers take turns.
        found = {
            "poplib": await asyncio.to_thread(read_by_poplib, reader, ca_file),
            "curl": await asyncio.to_thread(read_by_curl, reader, ca_file, len(mail), tmp_path),
            "mpop": await asyncio.to_thread(read_by_mpop, reader, ca_file, tmp_path),
        }
    for name, received in found.items():
        # mpop writes a Maildir, whose files end their lines by LF.
        comparable = received if name != "mpop" else [crlf(each) for each in received]
        matched, strange = unmatched(comparable, mail)
        record(
            f"real mail by {name}",
            passed=matched,
            total=len(mail),
            differences=[
                {"case": each[-40:].decode("latin-1"), "reason": "WRONG"} for each in strange
            ],
        )
        assert (matched, strange) == (1200, []), name


def by_smtplib(server: Mailserver, ca_file: Path, messages: Sequence[bytes]) -> None:
    with smtplib.SMTP(server.address, server.port, timeout=30) as client:
        client.starttls(context=trusting(ca_file, server.name))
        client.login(server.username, server.password)
        for message in messages:
            assert client.sendmail(ALICE, [BOB], message, mail_options=["BODY=8BITMIME"]) == {}


def by_swaks(server: Mailserver, ca_file: Path, messages: Sequence[bytes], directory: Path) -> None:
    for number, message in enumerate(messages):
        file = directory / f"{number}.eml"
        # Without its fix-ups swaks changes nothing, so stuffing dots and ending the data is ours.
        file.write_bytes(message.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        # fmt: off
        command = [
            str(find("swaks")), "--server", server.address, "--port", str(server.port), "--tls",
            "--auth", "PLAIN", "--auth-user", server.username, "--auth-password", server.password,
            "--from", ALICE, "--to", BOB, "--data", f"@{file}", "--hide-all", "--no-data-fixup",
            "--tls-ca-path", str(ca_file),
        ]
        # fmt: on
        subprocess.run(command, check=True, timeout=30, capture_output=True)


def trusting(ca_file: Path, name: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca_file))
    context.check_hostname = False  # the lab's clients connect by address
    return context


def read_by_poplib(server: Mailserver, ca_file: Path) -> list[bytes]:
    # Some of the spam has lines beyond the 2,048 octets that poplib reads by default.
    setattr(poplib, "_MAXLINE", 1_000_000)  # noqa: B010
    client = poplib.POP3(server.address, server.port, timeout=30)
    try:
        client.stls(trusting(ca_file, server.name))
        client.user(server.username)
        client.pass_(server.password)
        count, octets = client.stat()
        messages = [
            b"".join(line + b"\r\n" for line in client.retr(number + 1)[1])
            for number in range(count)
        ]
        assert octets == sum(map(len, messages)), "sizes are exact in octets as sent"
        client.quit()
    finally:
        client.close()
    return messages


def read_by_curl(server: Mailserver, ca_file: Path, count: int, directory: Path) -> list[bytes]:
    out = directory / "curl"
    out.mkdir()
    # fmt: off
    command = [
        str(find("curl")), "--silent", "--show-error", "--fail", "--ssl-reqd",
        "--cacert", str(ca_file), "--user", f"{server.username}:{server.password}",
        f"pop3://{server.address}:{server.port}/[1-{count}]", "--output", f"{out}/#1.eml",
    ]
    # fmt: on
    done = subprocess.run(command, check=False, timeout=120, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [path.read_bytes() for path in out.iterdir()]


def read_by_mpop(server: Mailserver, ca_file: Path, directory: Path) -> list[bytes]:
    maildir = directory / "Maildir"
    for name in ("new", "cur", "tmp"):
        (maildir / name).mkdir(parents=True)
    settings = directory / "mpoprc"
    settings.write_text(
        "account default\n"
        f"host {server.address}\nport {server.port}\nuser {server.username}\n"
        f"password {server.password}\nauth user\n"
        f"tls on\ntls_starttls on\ntls_trust_file {ca_file}\ntls_host_override {server.name}\n"
        f"delivery maildir {maildir}\nuidls_file {directory}/uidls\n"
        "keep on\nreceived_header off\n"
    )
    settings.chmod(0o600)
    command = [str(find("mpop")), "-C", str(settings), "--quiet"]
    environment = {**os.environ, "HOME": str(directory)}
    done = subprocess.run(
        command, check=False, timeout=120, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    return [path.read_bytes() for path in (maildir / "new").iterdir()]
