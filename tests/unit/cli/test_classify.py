"""``postroad classify``: replies, and messages that came back."""

import json
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from postroad.cli.main import main

BOUNCE = b"""\
From: MAILER-DAEMON@there.test
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.there.test

Final-Recipient: rfc822; jo@there.test
Action: failed
Status: 5.1.1
Remote-MTA: dns; aspmx.l.google.com
Diagnostic-Code: smtp; 550 5.1.1 no such user

--b
Content-Type: text/rfc822-headers

Message-ID: <1@here.test>

--b--
"""


@pytest.fixture(autouse=True)
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "postroad.toml"
    file.write_text('[server]\nhostname = "mail.here.test"\n')
    monkeypatch.setenv("POSTROAD_CONFIG", str(file))
    return file


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert main(["classify", "--json", *words]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_reply(capsys: pytest.CaptureFixture[str]) -> None:
    said = asked(capsys, "550 5.1.1 no such user", "--host", "aspmx.l.google.com")
    assert said == {
        "reply": "550 5.1.1 no such user",
        "category": "no-such-user",
        "permanent": True,
        "hard": True,
        "provider": "Google",
        "rule": "no-such-user",
    }
    assert main(["classify", "452 4.2.2 Mailbox full"]) == 0
    shown = capsys.readouterr().out
    assert "CATEGORY   mailbox-full\n" in shown
    assert "PERMANENT  no\n" in shown


def test_a_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bounce.eml"
    file.write_bytes(BOUNCE)
    said = asked(capsys, str(file))
    assert (said["form"], said["message_id"]) == ("delivery-status", "<1@here.test>")
    (recipient,) = said["recipients"]
    assert (recipient["address"], recipient["what"]) == ("jo@there.test", "failed")
    assert (recipient["category"], recipient["provider"]) == ("no-such-user", "Google")
    assert main(["classify", str(file)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("delivery-status about <1@here.test>\n")
    assert "jo@there.test  failed  no-such-user  yes        Google" in shown


def test_from_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(BOUNCE)))
    assert asked(capsys, "-")["recipients"][0]["hard"] is True


def test_rules_of_theconfigureduration(
    tmp_path: Path, configured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = tmp_path / "mine.toml"
    rules.write_text('[[rule]]\nname = "mine"\ncategory = "policy"\ntext = ["no such user"]\n')
    configured.write_text(f'{configured.read_text()}[bounces]\nrules = ["{rules}"]\n')
    assert asked(capsys, "550 5.1.1 no such user")["rule"] == "mine"
    rules.write_text('[[rule]]\nname = "mine"\n')
    assert main(["classify", "550 5.1.1 no such user"]) == 78
    assert f"{rules}: Object missing required field `category`" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["hello", "250 ok", "x" * 5_000])
def test_what_is_no_failure(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", what]) == 65
    assert "is no file, and no reply of a failure" in capsys.readouterr().err


def test_a_file_that_is_no_bounce(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "letter.eml"
    file.write_bytes(b"Subject: hi\r\n\r\nhello\r\n")
    assert main(["classify", str(file)]) == 65
    assert "is neither a bounce nor a complaint" in capsys.readouterr().err
