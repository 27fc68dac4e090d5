"""``postroad template``; the usual course of things is in docs/howto/send-from-templates.md."""

import json
from pathlib import Path

import pytest

from postroad.cli.main import main


class Cli:
    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys
        self.config = directory / "postroad.toml"
        self.config.write_text(
            f'[server]\nhostname = "mail.here.test"\ndata_dir = "{directory / "data"}"\n'
            "run_as_root = true\n"
        )
        self.error = ""

    def __call__(self, *argv: str, code: int = 0) -> str:
        got = main(["template", *argv, "--config", str(self.config)])
        printed = self.capsys.readouterr()
        self.error = printed.err
        assert got == code, printed.err + printed.out
        return printed.out


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, capsys)


@pytest.fixture
def page(tmp_path: Path) -> str:
    path = tmp_path / "a.html"
    path.write_text("<p>{{ a }}</p>\n")
    return str(path)


def test_save_show_list_and_remove(cli: Cli, page: str, tmp_path: Path) -> None:
    cli("list")
    assert "there are no templates" in cli.error
    sample = tmp_path / "a.json"
    sample.write_text('{"a": "<b>"}')
    cli("save", "hi", "--subject", "S", "--html", page, "--sample", str(sample))
    assert "--- html\n<p>{{ a }}</p>\n" in cli("show", "hi")
    shown = json.loads(cli("show", "hi", "--json"))
    assert (shown["version"], shown["live"], shown["sample"]) == (1, True, '{"a":"<b>"}')
    made = json.loads(cli("preview", "hi", "--json"))
    assert made == {"subject": "S", "html": "<p>&lt;b&gt;</p>", "text": "<b>"}
    assert "--- text\n<b>\n" in cli("preview", "hi")
    (entry,) = json.loads(cli("list", "--json"))
    assert (entry["name"], entry["version"]) == ("hi", 1)
    assert "hi" in cli("show", "hi", "--versions")
    assert cli("remove", "hi") == "hi removed\n"


def test_what_is_wrong(cli: Cli, page: str, tmp_path: Path) -> None:
    cli("show", "hi", code=65)
    assert "template list" in cli.error
    cli("save", "hi", "--html", str(tmp_path / "nothing"), code=66)
    (tmp_path / "latin").write_bytes(b"\xff")
    cli("save", "hi", "--text", str(tmp_path / "latin"), code=65)
    cli("save", "Hi there", "--html", page, code=65)
    cli("save", "hi", "--html", page)
    cli("preview", "hi", code=65)
    assert cli.error == (
        "postroad: template hi: html, line 1: the variable 'a' is missing in the data\n"
    )
    cli("preview", "hi", "--part", "body", code=64)
    cli("activate", "hi", "2", code=65)
    cli("remove", "ho", code=65)
