"""``postroad suppression``: the lists of streams from the command line."""

import json
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from postroad.cli import suppression
from postroad.cli.main import main


class Cli:
    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys
        self.config = directory / "postroad.toml"
        self.config.write_text(
            f'[server]\nhostname = "mail.here.test"\ndata_dir = "{directory / "data"}"\n'
            "run_as_root = true\n"
            '[streams.news]\nsenders = ["news@here.test"]\nsuppression = true\n'
        )

    def __call__(self, *argv: str, code: int = 0) -> str:
        got = main(["suppression", *argv, "--config", str(self.config)])
        printed = self.capsys.readouterr()
        self.error = printed.err
        assert got == code, printed.err + printed.out
        return printed.out


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, capsys)


def test_add_list_remove(cli: Cli) -> None:
    added = cli("add", "jo@there.test", "Ann@there.test", "--stream", "news", "--evidence", "asked")
    assert added == "2 addresses added\n"
    shown = cli("list")
    assert "jo@there.test   news    manual  " in shown
    assert shown.count("asked") == 2
    (found,) = json.loads(cli("list", "--address", "ann@there.test", "--json"))
    assert (found["address"], found["reason"]) == ("Ann@there.test", "manual")
    assert cli("remove", "jo@there.test", "--stream", "news") == "1 address removed\n"
    cli("remove", "jo@there.test", "--stream", "news", code=65)
    assert "not on the list of news" in cli.error
    assert "jo@there.test" not in cli("list", "--stream", "news", "--address", "@there.test")


def test_export_and_import(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("address,stream,reason\njo@there.test,news,unsubscribe\n")
    assert cli("import", str(file)) == "1 address added\n"
    file.write_bytes(cli("export", "--stream", "news").encode())
    assert b"jo@there.test,news,unsubscribe,," in file.read_bytes()
    assert cli("import", str(file)) == "0 addresses added\n"


def test_a_wish_is_undone_by_force_alone(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("address,stream,reason\njo@there.test,news,unsubscribe\n")
    cli("import", str(file))
    cli("remove", "jo@there.test", "--stream", "news", code=65)
    assert "by its owner's wish" in cli.error
    assert cli("remove", "jo@there.test", "--stream", "news", "--force") == "1 address removed\n"


def test_a_dry_run(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("address,stream\njo@there.test,news\n")
    assert cli("import", "--dry-run", str(file)) == "1 line, all right; 1 address would be added\n"
    assert json.loads(cli("list", "--json")) == []
    file.write_text("address,stream\njo@there.test,news\nann@there.test,old\n")
    cli("import", "--dry-run", str(file), code=65)
    assert "line 3: the stream 'old'" in cli.error


def test_from_standard_input(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"address,stream\njo@there.test,news\nann@there.test,news\n"
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(text)))
    assert cli("import", "-") == "2 addresses added\n"
    monkeypatch.setattr(suppression, "MAX_FILE_OCTETS", len(text) - 1)
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(text)))
    cli("import", "-", code=65)
    assert "import it in parts" in cli.error


def test_what_is_wrong_is_said(cli: Cli, tmp_path: Path) -> None:
    cli("add", "jo@there.test", "--stream", "default", code=65)
    assert "has no suppression list" in cli.error
    cli("add", "jo", "--stream", "news", code=64)
    file = tmp_path / "list.csv"
    file.write_bytes(b"\xff")
    cli("import", str(file), code=65)
    assert "line 1: it is no UTF-8" in cli.error
    cli("import", str(tmp_path / "none.csv"), code=66)
