"""`postroad plan` on a machine whose DNS is silent, and with messages of all kinds."""

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from postroad.cli.errors import Exit
from postroad.cli.main import main
from postroad.model import LinkPolicy
from postroad.runtime import plan
from postroad.runtime.plan import Waiting
from postroad.service.links import rule_words

MESSAGE = "From: Jo <jo@here.test>\nTo: x@there.test\nSubject: x\n\nhello\n"


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    path = tmp_path / "postroad.toml"
    path.write_text(
        f'[server]\nhostname = "mail.here.test"\ndata_dir = "{tmp_path}/data"\n'
        '[delivery]\nnameservers = ["127.0.0.1:1"]\n'
        '[routes."smart.test"]\nvia = "127.0.0.1:1"\n'
    )
    return ["--config", str(path)]


def message(tmp_path: Path, text: str = MESSAGE) -> str:
    path = tmp_path / "message.eml"
    path.write_text(text)
    return str(path)


def test_no_way(tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", message(tmp_path), *options]) == Exit.NOHOST
    shown = capsys.readouterr().out
    assert "sender      jo@here.test\nsize        64 octets\n" in shown  # as it is sent: with CRLF
    assert "only the DNS was asked: there is no store" in shown
    assert "expected    put off" in shown
    assert shown.endswith("it would fail\n")


def test_by_a_smarthost(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["plan", message(tmp_path), "--to", "x@smart.test", "--from", "<>", *options]
    assert main(words) == Exit.OK
    shown = capsys.readouterr().out
    assert "sender      <>\n" in shown
    assert "way         by smarthost, TLS " in shown
    # The words of `route` and of the journey.
    assert f"link        127.0.0.1: {rule_words(LinkPolicy.OPPORTUNISTIC)}\n" in shown
    assert shown.endswith("it would arrive, as far as can be told\n")
    assert "note        SPF will be that of the smarthost's address\n" in shown
    assert main([*words, "--probe", "--json"]) == Exit.UNAVAILABLE
    plain = json.loads(capsys.readouterr().out)
    assert plain["fails"] is True
    assert plain["sender"] is None
    (recipient,) = plain["recipients"]
    assert "connection refused" in recipient["probe"]["failure"]
    assert recipient["kind"] == "smarthost"


def test_what_would_be_put_off_does_not_arrive(
    tmp_path: Path,
    options: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def waiting(*_: object) -> dict[str, Waiting]:
        return {"smart.test": Waiting(deliveries=1, failing=1)}

    monkeypatch.setattr(plan, "_waiting", waiting)
    words = ["plan", message(tmp_path), "--to", "x@smart.test", "--from", "<>", *options]
    assert main(words) == Exit.TEMPFAIL
    shown = capsys.readouterr().out
    assert "expected    put off: the destination does not take mail at present" in shown
    assert shown.endswith("it would be put off, and arrive when the destination takes mail\n")
    assert main([*words, "--json"]) == Exit.TEMPFAIL
    plain = json.loads(capsys.readouterr().out)
    assert (plain["fails"], plain["put_off"]) == (False, True)


def test_from_standard_input(
    options: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sys, "stdin", SimpleNamespace(buffer=io.BytesIO("Subject: ä\n\nhi\n".encode()))
    )
    words = ["plan", "-", "--from", "a@b.test", "--to", "x@smart.test", *options]
    assert main(words) == Exit.UNAVAILABLE
    shown = capsys.readouterr().out
    assert "needs SMTPUTF8" in shown
    assert "it has 0 From fields" in shown


@pytest.mark.parametrize(
    ("text", "more", "problem"),
    [
        ("To: a@b.test\n\nx", [], "names no sender; say --from"),
        ("From: a@b.test\n\nx", [], "names no recipients; say --to"),
        (MESSAGE, ["--to", "nobody"], "address has no @ and domain"),
        (MESSAGE, ["--address", "mail"], "not an IP address"),
    ],
)
def test_wrong_words(
    tmp_path: Path,
    options: list[str],
    capsys: pytest.CaptureFixture[str],
    text: str,
    more: list[str],
    problem: str,
) -> None:
    assert main(["plan", message(tmp_path, text), *more, *options]) == Exit.USAGE
    assert problem in capsys.readouterr().err


def test_no_message(options: list[str]) -> None:
    assert main(["plan", "/nowhere/at/all", *options]) == Exit.NOINPUT
