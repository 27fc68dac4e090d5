"""The clients that people have hand mail in and read it: what they sent is what is read."""

import os
import poplib
import smtplib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import aiosmtplib
import pytest

from tests.interop.conftest import Require
from tests.interop.exchange import letter, read_mail, trusting
from tests.interop.real_mail import crlf, is_below_trace
from tests.interop.serving_process import BOB, SENDMAIL, Serving, command, serving_process

TEXT = "Guten Tag,\n.\n..two dots\nFrom here on, and ü\n"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    directory = tmp_path_factory.mktemp("serving")
    with serving_process(directory, directory / "data") as found:
        yield found


@pytest.fixture
def message(request: pytest.FixtureRequest) -> bytes:
    """A message of this test's own, with dots and 8-bit letters."""
    return letter(BOB, BOB, request.node.name, TEXT)


def arrived(serving: Serving, message: bytes) -> bytes:
    """Wait until a message is in the mailbox, byte for byte below trace fields; return it."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        for found in read_mail(serving.mailserver("pop3s")):
            if is_below_trace(found, message):
                return found
        time.sleep(0.05)
    raise AssertionError(f"did not come: {message[:300]!r}")


def run(*words: str | Path, stdin: bytes = b"", home: Path | None = None) -> bytes:
    environment = {**os.environ, **({"HOME": str(home)} if home else {})}
    done = subprocess.run(
        [str(word) for word in words],
        input=stdin,
        capture_output=True,
        timeout=60,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode("utf-8", "replace")
    return done.stdout


SWAKS_TLS = {"submission": "--tls", "submissions": "--tls-on-connect"}


@pytest.mark.parametrize("service", SWAKS_TLS)
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks(
    serving: Serving,
    require: Require,
    tmp_path: Path,
    message: bytes,
    service: str,
    mechanism: str,
) -> None:
    server = serving.mailserver(service)
    file = tmp_path / "message"
    # swaks ends the last line itself.
    file.write_bytes(message.replace(b"\r\n", b"\n").removesuffix(b"\n"))
    # fmt: off
    run(
        require("swaks"), "--server", server.address, "--port", str(server.port),
        SWAKS_TLS[service], "--tls-verify", "--tls-ca-path", server.ca_file,
        "--auth", mechanism, "--auth-user", server.username, "--auth-password", server.password,
        "--from", BOB, "--to", BOB, "--data", f"@{file}",
    )
    # fmt: on
    found = arrived(serving, message)
    assert b"with ESMTPSA id" in found.partition(b"\r\n\r\n")[0].replace(b"\r\n\t", b" ")


@pytest.mark.parametrize("service", ["submission", "submissions"])
def test_msmtp(
    serving: Serving, require: Require, tmp_path: Path, message: bytes, service: str
) -> None:
    server = serving.mailserver(service)
    settings = tmp_path / "msmtprc"
    settings.write_text(
        f"account default\nhost {server.address}\nport {server.port}\nfrom {BOB}\n"
        f"auth on\nuser {server.username}\npassword {server.password}\n"
        f"tls on\ntls_starttls {'off' if server.implicit_tls else 'on'}\n"
        f"tls_trust_file {server.ca_file}\n"
    )
    settings.chmod(0o600)
    run(require("msmtp"), "-C", settings, BOB, stdin=message.replace(b"\r\n", b"\n"))
    arrived(serving, message)


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_curl(
    serving: Serving, require: Require, tmp_path: Path, message: bytes, scheme: str
) -> None:
    out = serving.mailserver("submission" if scheme == "smtp" else "submissions")
    file = tmp_path / "message"
    file.write_bytes(message)
    curl = (require("curl"), "--silent", "--show-error", "--fail", "--ssl-reqd")
    login = ("--cacert", out.ca_file, "--user", f"{out.username}:{out.password}")
    # fmt: off
    run(
        *curl, *login, f"{scheme}://{out.address}:{out.port}/client.test",
        "--mail-from", BOB, "--mail-rcpt", BOB, "--upload-file", file,
    )
    # fmt: on
    found = arrived(serving, message)
    back = serving.mailserver("pop3" if scheme == "smtp" else "pop3s")
    place = f"{scheme.replace('smtp', 'pop3')}://{back.address}:{back.port}/"
    listing = run(*curl, *login, place).split(b"\r\n")
    numbers = [line.split()[0].decode() for line in listing if line]
    assert found in [run(*curl, *login, place + number) for number in numbers[-1:]]


@pytest.mark.parametrize("service", ["submission", "submissions"])
def test_s_nail(
    serving: Serving, require: Require, tmp_path: Path, request: pytest.FixtureRequest, service: str
) -> None:
    server = serving.mailserver(service)
    scheme = "smtps" if server.implicit_tls else "smtp"
    user = server.username.replace("@", "%40")
    password = server.password.replace(" ", "%20")
    subject = request.node.name
    # s-nail compares certificates with names only, not with addresses.
    # fmt: off
    run(
        require("s-nail"), "-:/",
        "-S", "v15-compat", "-S", "ttycharset=utf-8", "-S", "sendcharsets=utf-8",
        "-S", "mime-encoding=8bit", "-S", f"from={BOB}",
        "-S", f"tls-ca-file={server.ca_file}", "-S", "tls-verify=strict",
        "-S", "smtp-auth=plain",
        *(() if server.implicit_tls else ("-S", "smtp-use-starttls")),
        "-S", f"mta={scheme}://{user}:{password}@localhost:{server.port}",
        "-S", "DEAD=/dev/null",
        "-s", subject, BOB,
        stdin=TEXT.encode(), home=tmp_path,
    )
    # fmt: on
    wanted = f"Subject: {subject}\r\n".encode()
    body = b"\r\n\r\n" + crlf(TEXT.encode())
    assert in_time(lambda: any(wanted in m and m.endswith(body) for m in inbox(serving)))
    if server.implicit_tls:
        # It reads, too: the headers of the mailbox.
        reader = serving.mailserver("pop3s")
        # fmt: off
        said = run(
            require("s-nail"), "-:/", "-S", "v15-compat", "-S", "ttycharset=utf-8",
            "-S", f"tls-ca-file={server.ca_file}", "-S", "tls-verify=strict",
            "-H", "-f", f"pop3s://{user}:{password}@localhost:{reader.port}",
            home=tmp_path,
        )
        # fmt: on
        assert subject[:20].encode() in said


def inbox(serving: Serving) -> list[bytes]:
    return read_mail(serving.mailserver("pop3s"))


def in_time(happened: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 15
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("service", ["submission", "submissions"])
def test_smtplib_and_poplib(serving: Serving, message: bytes, service: str) -> None:
    server = serving.mailserver(service)
    context = trusting(server.ca_file)
    client: smtplib.SMTP
    if server.implicit_tls:
        client = smtplib.SMTP_SSL(server.address, server.port, timeout=30, context=context)
    else:
        client = smtplib.SMTP(server.address, server.port, timeout=30)
        with pytest.raises(smtplib.SMTPNotSupportedError):
            client.login(server.username, server.password)  # not offered in the clear
        client.starttls(context=context)
    with client:
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(server.username, "wrong")
        client.login(server.username, server.password)
        client.sendmail(BOB, [BOB], message, ["BODY=8BITMIME"])
    found = arrived(serving, message)
    reader = serving.mailserver("pop3s")
    pop3 = poplib.POP3_SSL(reader.address, reader.port, timeout=30, context=context)
    try:
        assert pop3.utf8().startswith(b"+OK")
        pop3.user(reader.username)
        pop3.pass_(reader.password)
        count, _ = pop3.stat()
        uids = pop3.uidl()[1]
        assert len(uids) == len(set(uids)) == count
        head = pop3.top(count, 0)[1]
        assert b"\r\n".join(head).startswith(found.partition(b"\r\n\r\n")[0])
    finally:
        pop3.quit()


@pytest.mark.parametrize("service", ["submission", "submissions"])
async def test_aiosmtplib(serving: Serving, message: bytes, service: str) -> None:
    server = serving.mailserver(service)
    client = aiosmtplib.SMTP(
        hostname=server.address,
        port=server.port,
        use_tls=server.implicit_tls,
        start_tls=not server.implicit_tls,
        tls_context=trusting(server.ca_file),
        username=server.username,
        password=server.password,
    )
    async with client:
        assert client.is_ehlo_or_helo_needed is False
        refused, answer = await client.sendmail(
            BOB, [BOB, "nobody@us.test"], message, mail_options=["BODY=8BITMIME"]
        )
    assert refused["nobody@us.test"].code == 550
    assert "queued as" in answer
    arrived(serving, message)


def test_sendmail_reads_recipients_from_the_header(
    serving: Serving, request: pytest.FixtureRequest
) -> None:
    text = f"Subject: {request.node.name}\nTo: Bob <{BOB}>\nBcc: bob+hidden@us.test\n\n{TEXT}"
    done = command(serving.config, "-t", "-i", stdin=text.encode(), program=SENDMAIL)
    assert done.returncode == 0, done.stderr
    wanted = request.node.name.encode()
    body = b"\r\n\r\n" + crlf(TEXT.encode())
    assert in_time(lambda: any(wanted in each for each in inbox(serving)))
    # Both addresses lead to one mailbox, which gets one copy.
    (found,) = [each for each in inbox(serving) if wanted in each]
    assert found.endswith(body)
    header = found.partition(b"\r\n\r\n")[0].lower()
    assert b"hidden" not in header
    for name in (b"from", b"message-id", b"date"):
        assert header.count(b"\r\n" + name + b": ") == 1


def test_sendmail_without_i_ends_at_a_dot(serving: Serving, request: pytest.FixtureRequest) -> None:
    text = f"Subject: {request.node.name}\n\nkept\n.\nnot kept\n"
    done = command(serving.config, BOB, stdin=text.encode(), program=SENDMAIL)
    assert done.returncode == 0, done.stderr
    wanted = request.node.name.encode()
    assert in_time(
        lambda: any(
            wanted in each and each.endswith(b"\r\n\r\nkept\r\n") for each in inbox(serving)
        )
    )


def test_sendmail_tells_who_is_unknown(serving: Serving) -> None:
    done = command(
        serving.config, "-i", "nobody@us.test", stdin=b"Subject: x\n\nx\n", program=SENDMAIL
    )
    assert done.returncode == 67, "EX_NOUSER"
    assert b"nobody@us.test: 550 5.1.1" in done.stderr


@pytest.mark.parametrize(
    ("service", "tls"), [("submission", "starttls"), ("submissions", "implicit")]
)
def test_postroad_send(
    serving: Serving, tmp_path: Path, message: bytes, service: str, tls: str
) -> None:
    server = serving.mailserver(service)
    file = tmp_path / "message"
    file.write_bytes(message.replace(b"\r\n", b"\n"))
    password_file = tmp_path / "password"
    password_file.write_text(server.password + "\n")
    # fmt: off
    words = (
        "--server", f"{server.address}:{server.port}", "--tls", tls,
        "--ca-file", str(server.ca_file), "--from", BOB,
    )
    login = ("--user", server.username, "--password-file", str(password_file))
    # fmt: on
    done = command(serving.config, "send", str(file), *words, *login, "--to", BOB)
    assert done.returncode == 0, done.stderr
    assert b"queued as" in done.stdout
    arrived(serving, message)
    refused = command(serving.config, "send", str(file), *words, *login, "--to", "nobody@us.test")
    assert refused.returncode == 69, "EX_UNAVAILABLE"
    assert b"nobody@us.test>: 550 5.1.1" in refused.stderr
    stranger = command(serving.config, "send", str(file), *words, "--to", BOB)
    assert stranger.returncode == 69, "EX_UNAVAILABLE"
    assert b"530 5.7.0" in stranger.stderr
