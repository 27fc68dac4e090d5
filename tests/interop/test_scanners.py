"""Real daemons judge mail that comes in over sockets: rspamd by GTUBE, ClamAV by EICAR."""

import os
import pwd
import smtplib
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from peers.tools import Process, free_port
from tests.interop.conftest import Require
from tests.interop.exchange import letter, read_mail
from tests.interop.serving_process import BOB, Serving, command, serving_process

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\n"
# Taken apart, so that this file is not found itself.
EICAR = r"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*\n"

START_SECONDS = 60.0  # rspamd compiles its lists first


@pytest.fixture(scope="module")
def rspamd(tmp_path_factory: pytest.TempPathFactory, require: Require) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("rspamd")
    port = free_port()
    file = directory / "rspamd.conf"
    file.write_text(
        dedent(f"""\
        options {{
          pidfile = "{directory}/pid"; tempdir = "{directory}"; filters = "";
          dns {{ nameserver = ["127.0.0.1:1:1"]; timeout = 0.1s; retransmits = 1; }}
        }}
        logging {{ type = "console"; level = "info"; }}
        worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
        metric {{ name = "default"; actions {{ reject = 15; "add header" = 6; }} }}
        """)
    )
    words = [str(require("rspamd")), "-f", "-i", "-c", str(file)]
    with Process(words, directory / "log") as process:
        process.wait_for_port("127.0.0.1", port, START_SECONDS)
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="module")
def clamav(tmp_path_factory: pytest.TempPathFactory, require: Require) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("clamav")
    port = free_port()
    signatures = directory / "signatures"
    signatures.mkdir()
    (signatures / "eicar.ndb").write_text(f"Eicar-Test:0:*:{EICAR.strip().encode().hex()}\n")
    file = directory / "clamd.conf"
    file.write_text(
        f"DatabaseDirectory {signatures}\nTCPSocket {port}\nTCPAddr 127.0.0.1\n"
        f"Foreground yes\nUser {pwd.getpwuid(os.getuid()).pw_name}\n"
    )
    with Process([str(require("clamd")), "-c", str(file)], directory / "log") as process:
        process.wait_for_port("127.0.0.1", port, START_SECONDS)
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="module")
def serving(
    tmp_path_factory: pytest.TempPathFactory, rspamd: str, clamav: str
) -> Iterator[Serving]:
    directory = tmp_path_factory.mktemp("serving")
    abuse = {"rspamd": rspamd, "clamav": clamav}
    with serving_process(directory, directory / "data", abuse=abuse) as found:
        yield found


def send(serving: Serving, text: str) -> None:
    with smtplib.SMTP("127.0.0.1", serving.ports["mx"], timeout=30) as client:
        client.sendmail("eve@elsewhere.test", [BOB], letter("eve@elsewhere.test", BOB, "x", text))


def test_clean_mail_comes_in_and_the_journey_tells(serving: Serving) -> None:
    send(serving, "Guten Tag\n")
    deadline = time.monotonic() + 15
    while not any(b"Guten Tag" in each for each in read_mail(serving.mailserver("pop3s"))):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    told = command(serving.config, "journey", "--to", BOB).stdout.decode()
    assert "rspamd: accept" in told, told
    assert "no action, 0.00 of 15.00" in told


@pytest.mark.parametrize(
    ("text", "words"), [(GTUBE, "Gtube pattern"), (EICAR, "Malware found: Eicar-Test")]
)
def test_what_they_find_is_refused(serving: Serving, text: str, words: str) -> None:
    with pytest.raises(smtplib.SMTPDataError) as refused:
        send(serving, text)
    assert refused.value.smtp_code == 550
    assert words in str(refused.value.smtp_error)


def test_without_the_scanner_mail_waits(tmp_path: Path) -> None:
    abuse = {"clamav": f"127.0.0.1:{free_port()}"}
    with serving_process(tmp_path, tmp_path / "data", abuse=abuse) as serving:
        with pytest.raises(smtplib.SMTPDataError) as deferred:
            send(serving, "Guten Tag\n")
        assert deferred.value.smtp_code == 451
