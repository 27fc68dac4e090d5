"""OpenDKIM as a milter of ours, over TCP and over a UNIX socket."""

import smtplib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from peers.tools import Process, free_port
from postroad.trust.dkim import Algorithm, SigningKey, generate
from tests.interop.conftest import Require
from tests.interop.exchange import letter, read_mail
from tests.interop.opendkim import milter, signed
from tests.interop.serving_process import BOB, Serving, command, serving_process

EVE = "eve@elsewhere.test"


@pytest.fixture(scope="module")
def key(require: Require) -> SigningKey:
    require("opendkim")
    return generate("elsewhere.test", "k1", Algorithm.RSA_SHA256)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, key: SigningKey) -> Iterator[Serving]:
    directory = tmp_path_factory.mktemp("serving")
    with milter(directory, "127.0.0.1", [key], "filter.us.test") as where:
        abuse = {"milters": [where.removeprefix("inet:")]}
        with serving_process(directory, directory / "data", abuse=abuse) as found:
            yield found


def message(subject: str) -> bytes:
    return letter(EVE, BOB, subject, f"This is {subject}.\r\n .\r\n\r\nBye\r\n")


def send(serving: Serving, data: bytes) -> None:
    with smtplib.SMTP("127.0.0.1", serving.ports["mx"], timeout=30) as client:
        client.sendmail(EVE, [BOB], data)


def arrived(serving: Serving, subject: str) -> bytes:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        for each in read_mail(serving.mailserver("pop3s")):
            if f"Subject: {subject}\r\n".encode() in each:
                return each
        time.sleep(0.05)
    raise AssertionError(f"no message {subject!r}")


def results(data: bytes) -> bytes:
    """What the milter put on top, unfolded."""
    top = data.partition(b"Received: ")[0].replace(b"\r\n\t", b" ")
    return next(line for line in top.split(b"\r\n") if b"filter.us.test" in line)


@pytest.mark.parametrize("forms", ["simple/simple", "relaxed/relaxed"])
def test_it_verifies_what_we_show_it(
    serving: Serving, key: SigningKey, tmp_path: Path, forms: str
) -> None:
    """Header fields with their folds and spaces, body with its line ends: else it would not."""
    subject = f"signed {forms}"
    data = message(subject).replace(b"Subject: ", b"X-Odd:   a\r\n \t b \r\nSubject: ", 1)
    (data,) = signed(tmp_path, key, [data], forms)
    send(serving, data)
    assert b"dkim=pass" in results(arrived(serving, subject))


def test_it_sees_what_was_changed(serving: Serving, key: SigningKey, tmp_path: Path) -> None:
    (data,) = signed(tmp_path, key, [message("changed")], "relaxed/relaxed")
    send(serving, data.replace(b"Bye", b"Pay"))
    assert b"dkim=fail" in results(arrived(serving, "changed"))


def test_over_a_unix_socket_it_refuses(tmp_path: Path, key: SigningKey) -> None:
    socket = tmp_path / "opendkim.sock"
    (tmp_path / "dns").write_text(f"{key.name} {key.record()}\n")
    file = tmp_path / "strict.conf"
    file.write_text(
        f"Mode v\nTestDNSData file:{tmp_path}/dns\nOn-BadSignature reject\n"
        "Syslog no\nUserID root\nBackground no\n"
    )
    words = ["/usr/sbin/opendkim", "-f", "-x", str(file), "-p", f"local:{socket}"]
    with Process(words, tmp_path / "log"):
        deadline = time.monotonic() + 15
        while not socket.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        abuse = {"milters": [str(socket)]}
        with serving_process(tmp_path, tmp_path / "data", abuse=abuse) as serving:
            (data,) = signed(tmp_path, key, [message("good")], "relaxed/relaxed")
            send(serving, data)
            arrived(serving, "good")
            with pytest.raises(smtplib.SMTPDataError) as refused:
                send(serving, data.replace(b"Bye", b"Pay"))
            assert refused.value.smtp_code == 550


def test_without_it_mail_waits(tmp_path: Path) -> None:
    abuse = {"milters": [f"127.0.0.1:{free_port()}"]}
    with serving_process(tmp_path, tmp_path / "data", abuse=abuse) as serving:
        with pytest.raises(smtplib.SMTPDataError) as deferred:
            send(serving, message("x"))
        assert deferred.value.smtp_code == 451
        told = command(serving.config, "journey", "--to", BOB).stderr
        assert b"no message fits" in told
