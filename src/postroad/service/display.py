"""Emails as safe pages, and the pictures in them.

A page is shown in a frame whose origin is nobody's, so no cookie goes along when its pictures are asked
for. Their addresses themselves say that they may be had: each is signed for one account and a time, and
leads to a part of one of its emails, or to one address of the web. Nobody can make another.
"""

import asyncio
import base64
import binascii
import hmac
from collections.abc import Callable
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from postroad.delivery.exchange import FetchFailed
from postroad.delivery.pictures import Pictures
from postroad.message.display import DisplayLimits, SafePage, Sources, look_at, render
from postroad.message.mime import MimeMessage, Part
from postroad.model import Account
from postroad.ports import Directory
from postroad.service.jmap.blobs import email_blob, find_blob, part_blob, read_blob
from postroad.service.jmap.desk import Context, Desk
from postroad.service.jmap.email_get import read_message
from postroad.service.jmap.ids import Kind

PATH = "/mail-view/picture/"
"""Where pictures are; the signed rest follows."""

MAX_PATH_OCTETS = 6_000
_MAC_OCTETS = 16
_FROM_MAIL, _FROM_WEB = 0, 1


class DisplaySettings(Struct, frozen=True):
    """Limits of pages; addresses of pictures are good for `link_seconds`, and so many pages are made and
    pictures of the web fetched at the same time as `at_once` says. `remote`: pictures of the web are
    fetched where a reader asks for them.
    """

    limits: DisplayLimits = DisplayLimits()
    max_picture_octets: int = 10 * 2**20
    max_pixels: int = 50_000_000
    link_seconds: float = 86_400.0
    at_once: int = 16
    remote: bool = True


class Shown(Struct, frozen=True):
    """A picture to send: what it is by its own octets, these, and for how long they may be kept."""

    media_type: str
    data: bytes
    seconds: int


class _Claim(Struct, frozen=True, array_like=True):
    kind: int
    account: int
    expires: int
    what: str


class Display:
    """Shows emails of accounts."""

    def __init__(
        self,
        desk: Desk,
        directory: Directory,
        pictures: Pictures,
        secret: bytes,
        settings: DisplaySettings,
    ) -> None:
        self._desk = desk
        self._directory = directory
        self._pictures = pictures
        self._secret = secret
        self.settings = settings
        self._making = asyncio.Semaphore(2)  # work for the processor: more at once is only slower
        self._fetching = asyncio.Semaphore(settings.at_once)

    async def page(
        self, account: Account, email: str, *, images: bool = False, light: bool = False
    ) -> SafePage | None:
        """Return the page of an email, None where the account has none of that id. `images`: pictures of
        the web are shown. Raises `MethodError`, `StorageError`.
        """
        context = Context(self._desk, account, {})
        number = context.read(Kind.EMAIL, email)
        blob = None if number is None else await find_blob(context, email)
        if number is None or blob is None or blob.part is not None:
            return None
        message = await read_message(context, blob)
        async with self._making:
            return await asyncio.to_thread(self._render, account.id, number, message, images, light)

    async def picture(self, path: str) -> Shown | None:
        """Return the picture of what follows `PATH`, None where the address is none of ours, its time is
        over, or there is no picture. Raises `StorageError`.
        """
        claim = self._read(path)
        if claim is None:
            return None
        seconds = max(0, min(86_400, claim.expires - int(self._desk.clock.now())))
        if claim.kind == _FROM_WEB:
            async with self._fetching:
                try:
                    picture, data = await self._pictures.fetch(claim.what)
                except FetchFailed:
                    return None
            return Shown(picture.media_type, data, seconds)
        account = await self._directory.account_by_id(claim.account)
        if account is None:
            return None
        context = Context(self._desk, account, {})
        blob = await find_blob(context, claim.what)
        if blob is None:
            return None
        most = self.settings.max_picture_octets
        data = await read_blob(context, blob, most + 1)
        found = look_at(data)
        if (
            found is None
            or len(data) > most
            or found.width * found.height > self.settings.max_pixels
        ):
            return None
        return Shown(found.media_type, data, seconds)

    def _render(
        self, account: int, email: int, message: MimeMessage, images: bool, light: bool
    ) -> SafePage:
        whole = email_blob(email)
        # A whole number of such times: the same picture has the same address for a while.
        keep = self.settings.link_seconds
        expires = int((self._desk.clock.now() // keep + 2) * keep)

        def address(kind: int, what: str) -> str:
            return self._write(_Claim(kind, account, expires, what))

        def of_part(part: Part) -> str | None:
            blob = part_blob(whole, part.body, part.end, part.encoding)
            return None if blob is None else address(_FROM_MAIL, blob)

        parts = {
            part.content_id: part
            for part in reversed(list(message.root.walk()))
            if part.content_id and not part.children
        }

        def by_id(content_id: str) -> str | None:
            part = parts.get(content_id) or parts.get(_decoded(content_id))
            return None if part is None else of_part(part)

        remote: Callable[[str], str | None] | None = None
        if images and self.settings.remote:
            remote = lambda url: address(_FROM_WEB, url)  # noqa: E731
        return render(message, Sources(by_id, remote), self.settings.limits, of_part, light=light)

    def _write(self, claim: _Claim) -> str:
        data = msgspec.msgpack.encode(claim)
        signed = self._mac(data) + data
        return PATH + base64.urlsafe_b64encode(signed).rstrip(b"=").decode("ascii")

    def _read(self, path: str) -> _Claim | None:
        if len(path) > MAX_PATH_OCTETS or not path.isascii():
            return None
        try:
            signed = base64.urlsafe_b64decode(path + "=" * (-len(path) % 4))
        except (ValueError, binascii.Error):
            return None
        data = signed[_MAC_OCTETS:]
        if not hmac.compare_digest(signed[:_MAC_OCTETS], self._mac(data)):
            return None
        claim = msgspec.msgpack.decode(data, type=_Claim)
        return claim if claim.expires > self._desk.clock.now() else None

    def _mac(self, data: bytes) -> bytes:
        return hmac.digest(self._secret, data, "sha256")[:_MAC_OCTETS]


def _decoded(content_id: str) -> str:
    """Undo what URLs do to a Content-ID (RFC 2392 §2)."""
    return unquote(content_id).strip("<>")
