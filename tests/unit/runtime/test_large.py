"""`[content]` is understood, and makes the place of large contents."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from postroad.runtime.config import Config
from postroad.runtime.config.describe import dump
from postroad.runtime.large import make_large
from postroad.storage.files import FileContents
from postroad.storage.s3.contents import Durable, S3Contents

S3: dict[str, Any] = {"place": "s3", "bucket": "mail", "endpoint": "https://s3.example"}


def config_of(tmp_path: Path, **content: Any) -> Config:
    server = {"hostname": "mail.example.org", "data_dir": tmp_path}
    return Config.model_validate({"server": server, "content": content})


def test_files_unless_said_otherwise(tmp_path: Path) -> None:
    large = make_large(config_of(tmp_path), tmp_path)
    assert isinstance(large, FileContents)
    large.close()


def test_s3(tmp_path: Path) -> None:
    keys = {"access_key_id": "id", "secret_access_key": "s3cret"}
    config = config_of(tmp_path, **S3, **keys, durable="s3", prefix="here/")
    large = make_large(config, tmp_path)
    assert isinstance(large, S3Contents)
    assert large.bucket.name == "https://s3.example/mail/here/"
    assert large._settings.durable is Durable.S3
    large.close()
    assert "s3cret" not in dump(config)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"place": "s3"}, "needs content.bucket"),
        ({**S3, "access_key_id": "id"}, "go together"),
        ({**S3, "endpoint": "s3.example"}, "no URL"),
        ({**S3, "endpoint": "http://s3.example"}, "without TLS"),
        ({**S3, "part_octets": "1 MiB"}, "greater than or equal"),
    ],
)
def test_what_makes_no_sense(tmp_path: Path, content: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        config_of(tmp_path, **content)


@pytest.mark.parametrize(
    "content",
    [
        {**S3, "endpoint": "http://127.0.0.1:9000"},
        {**S3, "endpoint": "http://[::1]:9000"},
        {**S3, "endpoint": "http://localhost:9000"},
        {**S3, "endpoint": "http://s3.internal", "allow_http": True},
        {**S3, "endpoint": ""},
    ],
)
def test_what_is_taken(tmp_path: Path, content: dict[str, Any]) -> None:
    large = make_large(config_of(tmp_path, **content), tmp_path)
    assert isinstance(large, S3Contents)
    large.close()


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroad.runtime.config.content.find_spec", lambda name: None)
    with pytest.raises(ValidationError, match=r"pip install 'postroad\[s3\]'"):
        config_of(tmp_path, **S3)
    config_of(tmp_path)
