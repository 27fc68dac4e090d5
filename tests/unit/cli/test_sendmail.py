"""`postroad-sendmail` against a real server, as other programs call it."""

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from postroad.cli import sendmail
from postroad.runtime.config import load_config
from postroad.runtime.lifecycle import run
from postroad.runtime.office import Office
from tests.unit.runtime.served import Served, environment, write_config
from tests.unit.runtime.test_lifecycle import add_account

USER = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("sendmail")
    path = write_config(directory)
    add_account(path)
    with Served(path) as served:
        served.wait_for("ready")
        yield path
        served.signal(signal.SIGTERM)
        assert served.end() == 0


def call(config: Path, *arguments: str, text: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "postroad.cli.sendmail", *arguments],
        input=text,
        capture_output=True,
        timeout=30,
        check=False,
        env=environment(POSTROAD_CONFIG=str(config)),
    )


def newest(config: Path) -> tuple[str, list[str], bytes, str | None]:
    """Return sender, recipients, content and login of the newest message."""

    async def read() -> tuple[str, list[str], bytes, str | None]:
        async with Office.open(load_config(config, {})) as office:
            message = (await office.journeys.find(limit=1))[0]
            data = await office.store.content.read(message.content)
            envelope = message.envelope
            to = [str(each.address) for each in envelope.recipients]
            return str(envelope.sender or "<>"), to, data, message.origin.account

    return run(read())


def test_recipients_from_the_header_without_bcc(config: Path) -> None:
    text = b"To: Jo <jo@here.test>\nCc: x@out.test\nBcc: jo+secret@here.test\nSubject: a\n\nhi\n"
    done = call(config, "-t", "-i", text=text)
    assert (done.returncode, done.stderr) == (0, b"")
    sender, to, data, account = newest(config)
    assert to == ["jo@here.test", "x@out.test", "jo+secret@here.test"]
    assert sender == f"{USER}@mail.here.test"
    assert account == USER
    assert b"secret" not in data.partition(b"\r\n\r\n")[0].split(b"Received", 1)[-1][-400:]
    assert b"\r\nBcc" not in data
    assert b"\r\nDate: " in data
    assert b"\r\nMessage-ID: " in data
    assert data.endswith(b"\r\n\r\nhi\r\n")
    assert b"\nFrom: " in data


def test_a_dot_ends_the_message_unless_told_otherwise(config: Path) -> None:
    assert call(config, "jo@here.test", text=b"Subject: a\n\none\n.\ntwo\n").returncode == 0
    assert newest(config)[2].endswith(b"\r\n\r\none\r\n")
    for spelled in ("-i", "-oi"):
        done = call(config, spelled, "jo@here.test", text=b"Subject: a\n\none\n.\ntwo\n")
        assert done.returncode == 0
        assert newest(config)[2].endswith(b"\r\n\r\none\r\n.\r\ntwo\r\n")


def test_sender_and_name(config: Path) -> None:
    done = call(config, "-f", "list@here.test", "-F", 'Jö "X"', "jo@here.test", text=b"A: b\n\n")
    assert done.returncode == 0
    sender, _, data, _ = newest(config)
    assert sender == "list@here.test"
    assert b"From: =?utf-8?b?" in data
    assert b"<list@here.test>" in data
    assert call(config, "-f<>", "jo@here.test", text=b"A: b\n\n").returncode == 0
    assert newest(config)[0] == "<>"


def test_an_unknown_recipient_is_said(config: Path) -> None:
    done = call(config, "nobody@here.test", text=b"A: b\n\n")
    assert done.returncode == 67
    assert done.stderr.startswith(b"sendmail: nobody@here.test: 550 5.1.1 ")


def test_a_header_cannot_be_smuggled_by_the_name(config: Path) -> None:
    done = call(config, "-F", "x\nBcc: evil@x.test", "jo@here.test", text=b"A: b\n\n")
    assert done.returncode == 64


def test_smtp_on_standard_input(config: Path) -> None:
    dialogue = [
        ("EHLO me.test", "250"),
        ("MAIL FROM:<a@here.test>", "250"),
        ("RCPT TO:<jo@here.test>", "250"),
        ("DATA", "354"),
        ("Subject: by -bs\r\n\r\nhi\r\n.", "250"),
        ("QUIT", "221"),
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "postroad.cli.sendmail", "-bs"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(POSTROAD_CONFIG=str(config)),
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline().startswith(b"220 mail.here.test")
        for said, code in dialogue:
            process.stdin.write(said.encode() + b"\r\n")
            process.stdin.flush()
            while (line := process.stdout.readline())[3:4] == b"-":
                pass
            assert line.startswith(code.encode()), (said, line)
        assert process.wait(20) == 0
    assert newest(config)[2].endswith(b"Subject: by -bs\r\n\r\nhi\r\n")


def test_without_a_server_the_caller_keeps_the_message(tmp_path: Path) -> None:
    done = call(write_config(tmp_path), "jo@here.test", text=b"A: b\n\n")
    assert done.returncode == 75
    assert b"does not answer" in done.stderr
    assert b"not sent, try again later" in done.stderr


def test_no_recipients(tmp_path: Path) -> None:
    done = call(write_config(tmp_path), "-t", text=b"Subject: x\n\n")
    assert done.returncode == 64
    assert b"no recipients" in done.stderr


@pytest.mark.parametrize("mode", ["-bp", "-bd", "-bi"])
def test_other_modes_are_refused_in_words(mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert sendmail.main([mode]) == 64
    assert "not supported" in capsys.readouterr().err


def test_names_without_a_domain_are_of_the_origin(config: Path, tmp_path: Path) -> None:
    done = call(config, "jo", text=b"Subject: a\n\n")
    assert done.stderr.startswith(b"sendmail: jo@mail.here.test: 550 5.1.1 ")
    other = tmp_path / "other.toml"
    other.write_text(config.read_text().replace("[server]", '[server]\norigin = "here.test"'))
    done = call(config, "-C", str(other), "jo", text=b"Subject: a\n\n")
    assert (done.returncode, done.stderr) == (0, b"")
    sender, to, data, _ = newest(config)
    assert (sender, to) == (f"{USER}@here.test", ["jo@here.test"])
    assert f"<{USER}@here.test>".encode() in data


def test_a_configuration_that_is_no_use_is_said(config: Path, tmp_path: Path) -> None:
    done = call(config, "-C", str(tmp_path / "none.toml"), "jo@here.test", text=b"A: b\n\n")
    assert done.returncode == 78
    assert b"none.toml: there is no such file" in done.stderr
    other = tmp_path / "other.toml"
    other.write_text("[server]\nhostname = 'a.test'\n[listen]\nlocal = 5\n")
    done = call(config, "-C", str(other), "jo@here.test", text=b"A: b\n\n")
    assert done.returncode == 78
    assert b"listen.local = 5" in done.stderr
    other.write_text("[server]\nhostname = 'a.test'\n[listen]\nlocal = ''\n")
    done = call(config, "-C", str(other), "jo@here.test", text=b"A: b\n\n")
    assert b"listen.local is empty" in done.stderr


def test_an_envid_is_printable_ascii(config: Path) -> None:
    done = call(config, "-V", "a é", "jo@here.test", text=b"A: b\n\n")
    assert done.returncode == 64
    assert call(config, "-V", "a+b =c", "jo@here.test", text=b"A: b\n\n").returncode == 0
