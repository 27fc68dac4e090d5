from pathlib import Path

import pytest

from postroad.message.bounce.classify import RulesInvalid, built_in
from postroad.model import Reply
from postroad.runtime.check import problems_of
from postroad.runtime.config import Config, load_config
from postroad.runtime.replies import MAX_FILE_OCTETS, make_classifier


def config(tmp_path: Path, *files: Path) -> Config:
    server = {"hostname": "mail.here.test", "data_dir": str(tmp_path / "data")}
    return Config.model_validate({"server": server, "bounces": {"rules": [str(f) for f in files]}})


def test_without_files_they_are_ours(tmp_path: Path) -> None:
    assert make_classifier(config(tmp_path)) is built_in()


def test_the_first_file_goes_first(tmp_path: Path) -> None:
    for name in ("a", "b"):
        text = f'[[rule]]\nname = "{name}"\ncategory = "policy"\ncodes = [550]\n'
        (tmp_path / f"{name}.toml").write_text(text)
    rules = make_classifier(config(tmp_path, tmp_path / "b.toml", tmp_path / "a.toml"))
    assert rules.classify(Reply(550, "", "x")).rule == "b"


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        (b"\xff", "no UTF-8"),
        (b"[[rule]]\n", "missing required field"),
        (b"#" * (MAX_FILE_OCTETS + 1), "larger than"),
    ],
)
def test_files_that_cannot_be_used_are_named(tmp_path: Path, data: bytes, wrong: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(data)
    with pytest.raises(RulesInvalid, match=f"mine.toml: .*{wrong}"):
        make_classifier(config(tmp_path, file))
    (problem,) = [each for each in problems_of(config(tmp_path, file), file) if "rules" in each]
    assert wrong in problem


def test_the_environment_names_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "postroad.toml"
    file.write_text('[server]\nhostname = "mail.here.test"\n')
    monkeypatch.setenv("POSTROAD_BOUNCES__RULES", "/etc/a.toml, /etc/b.toml")
    assert load_config(file).bounces.rules == (Path("/etc/a.toml"), Path("/etc/b.toml"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    found = problems_of(config(tmp_path, missing), tmp_path)
    assert any("none.toml: no such file" in each for each in found)
