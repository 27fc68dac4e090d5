"""`postroad domain check|records` where the DNS is silent, and with wrong words."""

import json
from pathlib import Path

import pytest

from postroad.cli.errors import Exit
from postroad.cli.main import main


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    path = tmp_path / "postroad.toml"
    path.write_text(
        f'[server]\nhostname = "mail.here.test"\ndata_dir = "{tmp_path}/data"\n'
        '[delivery]\nsource_ipv4 = "198.51.100.7"\nnameservers = ["127.0.0.1:1"]\n'
    )
    return ["--config", str(path)]


def test_records_need_no_dns(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["domain", "records", "HERE.test", *options]) == Exit.OK
    shown, warned = capsys.readouterr()
    assert "no answer to TXT _dmarc.here.test: name server 127.0.0.1:1: " in warned
    assert "here.test. 3600 IN MX 10 mail.here.test.\n" in shown
    assert main(["domain", "records", "here.test", "--json", *options]) == Exit.OK
    plain = json.loads(capsys.readouterr().out)
    assert plain[0]["data"] == "10 mail.here.test"
    assert "".join(f"{each['line']}\n" for each in plain) == shown


def test_a_dns_that_is_silent(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["domain", "check", "here.test", *options]) == 1
    shown = capsys.readouterr().out
    assert "PROBLEM  MX       no answer to MX here.test: name server 127.0.0.1:1: " in shown
    assert shown.splitlines()[-1].startswith("0 ok, ")


@pytest.mark.parametrize(
    "words", [["check", "a..b"], ["records", "x@y"], ["check", "here.test", "--address", "mail"]]
)
def test_wrong_words(
    words: list[str], options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["domain", *words, *options]) == Exit.USAGE
    assert capsys.readouterr().err.startswith("postroad: ")
