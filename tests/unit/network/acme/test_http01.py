"""Challenges as files: no token leads out of the directory."""

from pathlib import Path

import pytest

from postroad.network.acme.http01 import ChallengeDirectory, HttpProof
from postroad.network.acme.proof import Challenge
from postroad.ports.authority import IssueFailed


def test_published_and_withdrawn(tmp_path: Path) -> None:
    directory = ChallengeDirectory(tmp_path / "challenges")
    proof = HttpProof(directory)
    challenges = [Challenge("here.test", "abc.def", token="abc")]
    assert directory.get("abc") is None
    proof.publish(challenges)
    assert directory.get("abc") == b"abc.def"
    proof.withdraw(challenges)
    proof.withdraw(challenges)
    assert directory.get("abc") is None


@pytest.mark.parametrize("token", ["", "../secret", "a/b", "a.new", "..", "a\x00", "a" * 200, "ä"])
def test_what_is_no_token(tmp_path: Path, token: str) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "a.new").write_text("x")
    directory = ChallengeDirectory(tmp_path / "challenges")
    directory.put("real", "text")
    assert directory.get(token) is None
    with pytest.raises(IssueFailed, match="cannot be written"):
        HttpProof(directory).publish([Challenge("here.test", "text", token=token)])


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    proof = HttpProof(ChallengeDirectory(tmp_path / "file"))
    with pytest.raises(IssueFailed, match="cannot be written"):
        proof.publish([Challenge("here.test", "text", token="abc")])
