"""HTTP-01: texts in a directory, which the servers on port 80 answer from.

Files, because the process that asks for a certificate need not be the one that is asked for the proof:
another worker has the connection, or `postroad certificate renew` asked.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from postroad.network.acme.proof import Challenge
from postroad.ports.authority import IssueFailed

# RFC 8555 §8.3: base64url, at least 128 bits; nothing in it can lead out of the directory.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,128}")
_MAX_TEXT_OCTETS = 1024


class ChallengeDirectory:
    """The texts of challenges, by token."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, token: str) -> bytes | None:
        """Return the text for a token, None where there is none."""
        if not _TOKEN.fullmatch(token):
            return None
        try:
            with open(self._path / token, "rb") as file:
                return file.read(_MAX_TEXT_OCTETS)
        except OSError:
            return None

    def put(self, token: str, text: str) -> None:
        """Raises `OSError`, and `ValueError` for what is no token."""
        if not _TOKEN.fullmatch(token):
            raise ValueError(f"{token[:40]!r} is no token")
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self._path / f"{token}.new"  # no token has a dot
        fresh.write_text(text, encoding="ascii")
        os.replace(fresh, self._path / token)

    def remove(self, token: str) -> None:
        """Remove a text if it is there. Raises `OSError`."""
        if _TOKEN.fullmatch(token):
            (self._path / token).unlink(missing_ok=True)


class HttpProof:
    """Proves names by what our port 80 says."""

    kind: ClassVar[str] = "http-01"

    def __init__(self, directory: ChallengeDirectory) -> None:
        self._directory = directory

    def publish(self, challenges: Sequence[Challenge]) -> None:
        """Put the texts where port 80 finds them."""
        try:
            for each in challenges:
                self._directory.put(each.token, each.text)
        except (OSError, ValueError) as error:
            raise IssueFailed(f"the challenge cannot be written: {error}") from error

    def withdraw(self, challenges: Sequence[Challenge]) -> None:
        """Remove them."""
        try:
            for each in challenges:
                self._directory.remove(each.token)
        except OSError as error:
            raise IssueFailed(f"a challenge cannot be removed: {error}") from error
