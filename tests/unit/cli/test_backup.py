"""``postroad backup``, ``restore``, ``verify-data``: what they print, and with which code they end."""

import json
import sys
from pathlib import Path

import pytest

from postroad.runtime.config import load_config
from tests.unit.cli.test_commands import Cli, cli, submit
from tests.unit.runtime.served import Served, Talk, write_config

__all__ = ["cli"]


def elsewhere(cli: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    directory = tmp_path / "elsewhere"
    directory.mkdir()
    return Cli(write_config(directory), capsys)


def test_there_and_back(cli: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli("domain", "add", "here.test")
    cli("account", "add", "ann@here.test")
    submit(cli.config, "ann@here.test", "zoe@far.test")
    target = str(tmp_path / "backup")
    made = cli.json("backup", target)
    assert made["counts"]["messages"] == made["counts"]["deliveries"] == 1
    assert made["counts"]["accounts"] == 1
    assert made["copied_octets"] > 0
    other = elsewhere(cli, tmp_path, capsys)
    assert "every hash was right" in other("restore", target)
    assert other.json("account", "list") == cli.json("account", "list")
    (one,) = cli.json("queue", "list")["deliveries"]
    assert other.json("queue", "list")["deliveries"] == [one]
    key = one["message"]["id"]
    assert other.json("journey", key) == cli.json("journey", key)
    assert other.json("verify-data")["sound"]
    assert "overwrites nothing" in other("restore", target, code=73) + other.error


def test_while_the_server_runs(
    cli: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli("domain", "add", "here.test")
    cli("account", "add", "ann@here.test")
    target = str(tmp_path / "backup.tar")
    large = b"Subject: large\r\n\r\n" + b"0123456789\r\n" * 30_000
    with Served(cli.config) as server:
        with Talk(server.ports()["mx"]) as client:
            assert client.reply().startswith("220")
            client.say("EHLO there.test")
            client.say("MAIL FROM:<zoe@far.test>")
            client.say("RCPT TO:<ann@here.test>")
            client.say("DATA")
            client.send(large)
            assert client.say(".").startswith("250")
        assert cli.json("backup", target)["copied_contents"] == 1
        assert cli.json("verify-data")["checked"]["large contents"] == 1
        other = elsewhere(cli, tmp_path, capsys)
        other("restore", target)
        message = other.json("mail", "list", "ann@here.test", "INBOX")
        assert message == cli.json("mail", "list", "ann@here.test", "INBOX")
        source = load_config(other.config, {}).server.data_dir
        (content,) = (source / "content").glob("*/*")
        assert large in content.read_bytes()
        assert "a server runs" in cli("restore", target, code=75) + cli.error


def test_what_is_wrong_is_said_with_what_to_do(cli: Cli, tmp_path: Path) -> None:
    cli("verify-data", code=74)
    assert "nothing to verify" in cli.error
    cli("domain", "add", "here.test")
    cli("account", "add", "ann@here.test")
    cli("verify-data")
    assert "all is sound" in cli("verify-data")
    target = tmp_path / "backup"
    cli("backup", str(target))
    assert "all is sound" in cli("verify-data", str(target))
    manifest = json.loads((target / "manifest.json").read_text())
    manifest["counts"]["accounts"] = 7
    (target / "manifest.json").write_text(json.dumps(manifest))
    printed = cli("verify-data", str(target), code=65)
    assert "there are 1 accounts, and there should be 7\n  take another backup" in printed
    assert "NOT SOUND" in printed
    assert not cli.json("verify-data", str(target), code=65)["sound"]


def test_a_bar_in_a_terminal(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("domain", "add", "here.test")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    cli("backup", str(tmp_path / "backup"))
    assert (tmp_path / "backup" / "manifest.json").exists()
