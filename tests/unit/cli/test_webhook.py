"""``postroad webhook``."""

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
        got = main(["webhook", *argv, "--config", str(self.config)])
        printed = self.capsys.readouterr()
        self.error = printed.err
        assert got == code, printed.err + printed.out
        return printed.out


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, capsys)


def test_from_add_to_remove(cli: Cli) -> None:
    cli("list")
    assert cli.error == "there are no webhooks\n"
    secret = cli(
        "add", "shop", "https://127.0.0.1/hook", "--event", "bounced", "--domain", "A.test"
    )
    assert secret.startswith("whsec_")
    new = cli("rotate", "shop")
    assert new.startswith("whsec_")
    assert new != secret
    (listed,) = json.loads(cli("list", "--json"))
    assert listed["events"] == ["bounced"]
    assert listed["domains"] == ["a.test"]
    assert listed["old_secret_until"] > listed["created_at"]
    assert "streams: all" in cli("show", "shop")
    cli("dead", "shop")
    assert cli.error == "nothing was given up\n"
    assert json.loads(cli("dead", "shop", "--json")) == []
    assert cli("replay", "shop") == "0 to be sent again\n"
    cli("test", "shop", code=69)
    assert "loopback address 127.0.0.1 refused" in cli.error
    assert cli("remove", "shop") == "shop removed\n"
    cli("show", "shop", code=65)
    assert "There is no webhook 'shop'" in cli.error


def test_what_is_wrong_is_said(cli: Cli) -> None:
    cli("add", "shop", "http://a.test/", code=65)
    assert "https://HOST/PATH" in cli.error
    cli("add", "shop", "https://a.test/", "--event", "nonsense", code=64)
    assert "there are only accepted, delivered" in cli.error
    cli("add", "shop", "https://a.test/", "--stream", "nwes", code=65)
    assert "there is no stream 'nwes'; those that there are: default" in cli.error
    cli("add", "news", "https://a.test/", "--stream", "default")
    cli("add", "shop", "https://a.test/")
    cli("add", "shop", "https://a.test/", code=65)
    assert "already" in cli.error
    cli("replay", "shop", "evt_1_0", code=65)
    assert "was not given up" in cli.error
