"""The secret of forwarded senders: made once, kept by its owner, or set."""

import stat
from pathlib import Path
from typing import Any

import pytest

from postroad.model import Address
from postroad.ports import StorageError
from postroad.runtime.config import Config, ConfigInvalid, load_config
from postroad.runtime.config.describe import HIDDEN, to_plain
from postroad.runtime.rewriting import make_link_tokens, make_srs
from postroad.trust.link_token import LinkInvalid, OpenLink

JO = Address("jo", "there.test")
NOW = 1_795_600_000.0


def config(tmp_path: Path, **forwarding: Any) -> Config:
    return Config.model_validate(
        {
            "server": {"hostname": "mail.here.test", "data_dir": str(tmp_path)},
            "forwarding": forwarding,
        }
    )


def test_made_once(tmp_path: Path) -> None:
    first, second = make_srs(config(tmp_path)), make_srs(config(tmp_path))
    assert first is not None
    assert second is not None
    forwarded = first.forward(JO, "here.test", NOW)
    assert forwarded is not None
    assert second.back(forwarded.local_part, NOW) == JO
    (file,) = tmp_path.iterdir()
    assert file.name == "srs.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_off(tmp_path: Path) -> None:
    assert make_srs(config(tmp_path, rewrite_sender=False)) is None
    assert list(tmp_path.iterdir()) == []


def test_set_and_changed(tmp_path: Path) -> None:
    before = make_srs(config(tmp_path, secret="a" * 20))
    after = make_srs(config(tmp_path, secret="b" * 20, old_secrets=["a" * 20]))
    assert before is not None
    assert after is not None
    forwarded = before.forward(JO, "here.test", NOW)
    assert forwarded is not None
    assert after.back(forwarded.local_part, NOW) == JO
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_holds_too_little(tmp_path: Path) -> None:
    (tmp_path / "srs.key").write_text("x\n")
    with pytest.raises(StorageError, match=r"srs\.key: a secret of 1 octets can be guessed"):
        make_srs(config(tmp_path))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('secret = "short"', "a secret has fewer than 16 characters"),
        ('old_secrets = ["aaaaaaaaaaaaaaaaaaaa"]', "secret is not set|it is not set"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "postroad.toml"
    path.write_text(f'[server]\nhostname = "mail.here.test"\n[forwarding]\n{text}\n')
    with pytest.raises(ConfigInvalid, match=problem):
        load_config(path, {})


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    plain = to_plain(config(tmp_path, secret="a" * 20, old_secrets=["b" * 20]))["forwarding"]
    assert plain["secret"] == plain["old_secrets"] == HIDDEN


def test_links_have_a_secret_of_their_own() -> None:
    first, second = make_link_tokens(b"a" * 32), make_link_tokens(b"b" * 32)
    path = first.make(OpenLink(7, 0), 1e9)
    assert make_link_tokens(b"a" * 32).read(path, 1e9) == OpenLink(7, 0)
    with pytest.raises(LinkInvalid):
        second.read(path, 1e9)
