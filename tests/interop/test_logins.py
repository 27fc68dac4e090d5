"""Other people's clients log in by every mechanism, to send and to read; the journey of logins tells."""

import hashlib
import json
import os
import poplib
import re
import smtplib
import ssl
import subprocess
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from postroad.wire.sasl import derive_keys
from postroad.wire.sasl.client import ScramClient
from tests.interop.conftest import Require
from tests.interop.exchange import letter, read_mail, trusting
from tests.interop.serving_process import BOB, PASSWORD, Serving, command, serving_process

KEY = Ed25519PrivateKey.generate()
MECHANISMS = (
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-256",
    "PLAIN",
    "LOGIN",
    "OAUTHBEARER",
    "XOAUTH2",
)
BY_PASSWORD = ["scram-sha-256", "plain", "login"]
BY_TOKEN = ["oauthbearer", "xoauth2"]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    directory = tmp_path_factory.mktemp("serving")
    key = directory / "issuer.pem"
    key.write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with serving_process(
        directory,
        directory / "data",
        auth={"mechanisms": list(MECHANISMS), "login_write_seconds": 0.1},
        oauth={"issuer": "https://id.test", "audience": "mail", "keys": [str(key)]},
        submission={"auth_without_tls": True},
        pop3={"auth_without_tls": True},
        limits={"login_failure_seconds": 0},
    ) as found:
        yield found


def token(**claims: Any) -> str:
    """An access token for Bob."""
    usual = {"iss": "https://id.test", "aud": "mail", "exp": time.time() + 600, "email": BOB}
    return jwt.encode({**usual, **claims}, KEY, algorithm="EdDSA")


def run(*words: str | Path, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [str(word) for word in words],
        input=stdin,
        capture_output=True,
        timeout=60,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        check=False,
    )


def told(serving: Serving, mechanism: str, result: str = "ok", **also: str) -> dict[str, Any]:
    """Wait until the journey of logins has one like this, and return it."""
    wanted = {"mechanism": mechanism, "result": result, **also}
    deadline = time.monotonic() + 15
    said = b""
    while time.monotonic() < deadline:
        said = command(serving.config, "account", "logins", "--json").stdout
        for login in json.loads(said):
            if all(login[name] == value for name, value in wanted.items()):
                found: dict[str, Any] = login
                return found
        time.sleep(0.1)
    raise AssertionError(f"no login like {wanted}: {said.decode()}")


def settings(serving: Serving, service: str, mechanism: str, secret: str) -> str:
    """What msmtp and mpop are told alike."""
    server = serving.mailserver(service)
    return (
        f"account default\nhost {server.address}\nport {server.port}\n"
        f"auth {mechanism}\nuser {server.username}\npassword {secret}\n"
        f"tls on\ntls_starttls {'off' if server.implicit_tls else 'on'}\n"
        f"tls_trust_file {server.ca_file}\n"
    )


def secret_for(mechanism: str) -> str:
    return token() if mechanism in BY_TOKEN else PASSWORD


@pytest.mark.parametrize("mechanism", BY_PASSWORD + BY_TOKEN)
def test_msmtp(serving: Serving, require: Require, tmp_path: Path, mechanism: str) -> None:
    file = tmp_path / "msmtprc"
    file.write_text(
        settings(serving, "submission", mechanism, secret_for(mechanism)) + f"from {BOB}\n"
    )
    file.chmod(0o600)
    message = letter(BOB, BOB, f"msmtp by {mechanism}", "x\n")
    done = run(require("msmtp"), "-C", file, BOB, stdin=message.replace(b"\r\n", b"\n"))
    assert done.returncode == 0, done.stderr.decode()
    login = told(serving, mechanism.upper(), server="submission")
    assert (login["username"], login["client"]) == (BOB, "127.0.0.1")


@pytest.mark.parametrize("mechanism", BY_PASSWORD + BY_TOKEN)
def test_msmtp_with_something_wrong(
    serving: Serving, require: Require, tmp_path: Path, mechanism: str
) -> None:
    secret = token(email="eve@us.test") if mechanism in BY_TOKEN else "wrong"
    file = tmp_path / "msmtprc"
    file.write_text(settings(serving, "submission", mechanism, secret) + f"from {BOB}\n")
    file.chmod(0o600)
    done = run(require("msmtp"), "-C", file, BOB, stdin=letter(BOB, BOB, "no", "x\n"))
    assert done.returncode != 0
    assert b"535" in done.stderr, done.stderr.decode()
    assert told(serving, mechanism.upper(), "wrong", server="submission")["username"] == BOB
    # Bob guesses no further: what is right counts as no failure, and takes the throttle's count back.
    with smtplib.SMTP("127.0.0.1", serving.ports["submission"], timeout=30) as client:
        client.login(BOB, PASSWORD)


@pytest.mark.parametrize("mechanism", BY_PASSWORD + BY_TOKEN)
def test_mpop(serving: Serving, require: Require, tmp_path: Path, mechanism: str) -> None:
    with smtplib.SMTP("127.0.0.1", serving.ports["submission"], timeout=30) as client:
        client.login(BOB, PASSWORD)
        client.sendmail(BOB, [BOB], letter(BOB, BOB, f"to mpop by {mechanism}", "x\n"))
    wanted = f"to mpop by {mechanism}".encode()
    in_time(lambda: any(wanted in each for each in read_mail(serving.mailserver("pop3s"))))
    box = tmp_path / "box"
    file = tmp_path / "mpoprc"
    file.write_text(
        settings(serving, "pop3", mechanism, secret_for(mechanism))
        + f"uidls_file {tmp_path}/uidls\nkeep on\ndelivery mbox {box}\n"
    )
    file.chmod(0o600)
    done = run(require("mpop"), "-C", file)
    assert done.returncode == 0, done.stderr.decode()
    assert wanted in box.read_bytes()
    assert told(serving, mechanism.upper(), server="pop3")["username"] == BOB


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "PLAIN", "LOGIN"])
@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
def test_gsasl(serving: Serving, require: Require, mechanism: str, password: str) -> None:
    """GNU SASL, in the clear, for it says STARTTLS without EHLO."""
    # fmt: off
    done = run(
        require("gsasl"), "--client", "--smtp", "--no-starttls", "--connect",
        f"localhost:{serving.ports['submission']}", "--mechanism", mechanism,
        "--authentication-id", BOB, "--authorization-id", "", "--password", password,
        "--service", "smtp", "--hostname", "localhost",
        stdin=b"QUIT\n",
    )
    # fmt: on
    words = done.stdout.decode() + done.stderr.decode()
    assert ("235 2.7.0" in words) is (password == PASSWORD), words
    assert told(serving, mechanism, "ok" if password == PASSWORD else "wrong")


def test_the_keys_are_those_of_gnu_sasl(require: Require) -> None:
    # fmt: off
    done = run(
        require("gsasl"), "--mkpasswd", "--mechanism", "SCRAM-SHA-256", "--password", "pâss, wörd=",
        "--salt", b64encode(b"0123456789abcdef").decode(), "--iteration-count", "5000",
    )
    # fmt: on
    made = re.fullmatch(rb"\{SCRAM-SHA-256\}5000,([^,]+),([^,]+),([^,]+)\n", done.stdout)
    assert made is not None, done.stdout.decode() + done.stderr.decode()
    keys = derive_keys("pâss, wörd=", b"0123456789abcdef", 5000)
    assert [b64decode(part) for part in made.groups()] == [
        keys.salt,
        keys.stored_key,
        keys.server_key,
    ]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "OAUTHBEARER"])
@pytest.mark.parametrize("scheme", ["smtp", "pop3"])
def test_curl(
    serving: Serving, require: Require, tmp_path: Path, mechanism: str, scheme: str
) -> None:
    service = "submission" if scheme == "smtp" else "pop3"
    server = serving.mailserver(service)
    file = tmp_path / "message"
    file.write_bytes(letter(BOB, BOB, f"curl by {mechanism}", "x\n"))
    by_token = mechanism.lower() in BY_TOKEN
    login = ["--user", BOB if by_token else f"{BOB}:{PASSWORD}"]
    login += ["--oauth2-bearer", token()] if by_token else []
    mail = ("--mail-from", BOB, "--mail-rcpt", BOB, "--upload-file", file)
    # fmt: off
    done = run(
        require("curl"), "--silent", "--show-error", "--fail", "--ssl-reqd",
        "--cacert", server.ca_file, *login, "--login-options", f"AUTH={mechanism}",
        f"{scheme}://{server.address}:{server.port}/", *(mail if scheme == "smtp" else ()),
    )
    # fmt: on
    assert done.returncode == 0, done.stderr.decode()
    assert told(serving, mechanism, server=service)["username"] == BOB


@pytest.mark.parametrize("bound", [True, False])
def test_bound_to_the_channel_or_refused(serving: Serving, bound: bool) -> None:
    """Somebody in the middle who had a certificate that the client believes could log in by SCRAM, not
    by SCRAM-PLUS: his certificate is another.
    """
    server = serving.mailserver("submissions")
    context = trusting(server.ca_file)
    with smtplib.SMTP_SSL(server.address, server.port, timeout=30, context=context) as client:
        client.ehlo("client.test")
        assert "SCRAM-SHA-256-PLUS" in client.esmtp_features["auth"]
        assert isinstance(client.sock, ssl.SSLSocket)
        certificate = client.sock.getpeercert(binary_form=True)
        assert certificate is not None
        binding = hashlib.sha256(certificate if bound else b"another").digest()
        sasl = ScramClient(BOB, PASSWORD, "fyko+d2lbbFgONRv9qkxdawL", binding=binding)
        assert sasl.first is not None
        line = f"AUTH SCRAM-SHA-256-PLUS {b64encode(sasl.first).decode()}"
        code, said = client.docmd(line)
        while code == 334:
            answer = sasl.answer(b64decode(said))
            assert answer is not None
            code, said = client.docmd(b64encode(answer).decode())
        assert code == (235 if bound else 535), said
        assert sasl.satisfied is bound
    told(serving, "SCRAM-SHA-256-PLUS", "ok" if bound else "wrong")


def test_an_app_password_by_scram_and_by_user_and_pass(
    serving: Serving, require: Require, tmp_path: Path
) -> None:
    made = command(
        serving.config, "account", "app-password", "add", BOB, "phone", "--scope", "pop3", "--json"
    )
    password = json.loads(made.stdout)["password"]
    file = tmp_path / "mpoprc"
    file.write_text(
        settings(serving, "pop3", "scram-sha-256", password)
        + f"uidls_file {tmp_path}/uidls\nkeep on\ndelivery mbox {tmp_path}/box\n"
    )
    file.chmod(0o600)
    done = run(require("mpop"), "-C", file)
    assert done.returncode == 0, done.stderr.decode()
    told(serving, "SCRAM-SHA-256", app_password="phone")
    server = serving.mailserver("pop3s")
    client = poplib.POP3_SSL(
        server.address, server.port, timeout=30, context=trusting(server.ca_file)
    )
    client.user(BOB)
    client.pass_(password)
    client.quit()
    told(serving, "USER", app_password="phone")
    with (
        smtplib.SMTP("127.0.0.1", serving.ports["submission"], timeout=30) as sender,
        pytest.raises(smtplib.SMTPAuthenticationError),
    ):
        sender.login(BOB, password)
    told(serving, "PLAIN", "out of scope", app_password="phone")
    listed = command(serving.config, "account", "app-password", "list", BOB, "--json")
    assert json.loads(listed.stdout)[0]["used_at"] > 0
    removed = command(serving.config, "account", "app-password", "remove", BOB, "phone")
    assert removed.returncode == 0
    client = poplib.POP3_SSL(
        server.address, server.port, timeout=30, context=trusting(server.ca_file)
    )
    client.user(BOB)
    with pytest.raises(poplib.error_proto, match="AUTH"):
        client.pass_(password)
    client.close()


def in_time(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)
