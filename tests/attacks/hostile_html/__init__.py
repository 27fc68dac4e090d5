"""The messages of `*.toml`: hostile HTML, each with a name that tells what it tries."""

import base64
import tomllib
from pathlib import Path
from typing import Any

from msgspec import Struct, convert

_HERE = Path(__file__).parent
_DEEP = "<div>" * 600


class Hostile(Struct, frozen=True):
    """`html` in a charset, or a whole `message`. `remote` tells how many of its pictures are elsewhere,
    `links` how many links it has that only look like some.
    """

    name: str
    html: str = ""
    message: str = ""
    charset: str = "utf-8"
    encode: str = "utf-8"
    remote: int = 0
    links: int = 0

    def filled(self, text: str, base: str) -> str:
        """Put in what tells that it ran, and the place elsewhere."""
        text = text.replace("@RUN@", f"parent.postMessage('{self.name}','*')")
        text = text.replace("@URL@", f"{base}/{self.name}").replace("@DEEP@", _DEEP)
        return text.replace("@NAME@", self.name)

    def page(self, base: str) -> str:
        """As a browser would get it with nobody in between."""
        return self.filled(self.html, base)

    def mail(self, base: str) -> bytes:
        """The whole message."""
        head = f"Message-ID: <{self.name}@hostile.test>\r\nMIME-Version: 1.0\r\n".encode()
        if self.message:
            text = self.filled(self.message, base)
            return head + text.replace("\n", "\r\n").encode("utf-8", "surrogateescape")
        kind = f'Content-Type: text/html; charset="{self.charset}"\r\n'
        coding = "Content-Transfer-Encoding: base64\r\n\r\n"
        body = base64.encodebytes(self.filled(self.html, base).encode(self.encode))
        return head + kind.encode() + coding.encode() + body.replace(b"\n", b"\r\n")


def all_mails() -> list[Hostile]:
    """Return all of them."""
    found: list[Any] = []
    for path in sorted(_HERE.glob("*.toml")):
        found += tomllib.loads(path.read_text())["mail"]
    return [convert(each, Hostile) for each in found]
