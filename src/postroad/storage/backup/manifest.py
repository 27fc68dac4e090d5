"""What a backup says of itself: ``manifest.json``, the last thing that is written."""

import hashlib
from collections.abc import Callable
from typing import BinaryIO, TypeAlias

import msgspec
from msgspec import Struct

from postroad.model import format_id
from postroad.ports import StorageError

NAME = "manifest.json"
FORMAT = 1
MAX_OCTETS = 64 * 2**20
PIECE_OCTETS = 1024 * 1024

Progress: TypeAlias = Callable[[str, int, int], None]
"""Told what is under way, how many octets are done, and of how many."""


class Part(Struct, frozen=True):
    """One file: its size in octets and its SHA-256 as hexadecimal digits."""

    size: int
    sha256: str


class Manifest(Struct, frozen=True):
    """`made_at` is the moment of the database's state, in seconds since 1970; `node` is the name that
    the store gave itself; `database` is the database's name in the backup; `parts` are all files but the
    contents, which the database names. `counts` are for people, and for those who compare.
    """

    format: int
    made_at: float
    node: str
    version: str
    database: str
    parts: dict[str, Part]
    counts: dict[str, int]


def encode(manifest: Manifest) -> bytes:
    """Return the bytes of ``manifest.json``."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def decode(data: bytes, where: str) -> Manifest:
    """Return what `encode` made these bytes of. Raises `StorageError`."""
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.MsgspecError as error:
        raise StorageError(f"{where}: {NAME} cannot be read: {error}") from error
    if manifest.format != FORMAT:
        raise StorageError(
            f"{where} has format {manifest.format}; this Postroad knows {FORMAT}. Use the newer one."
        )
    for name in (manifest.database, *manifest.parts):
        if name.startswith("/") or ".." in name.split("/"):
            raise StorageError(f"{where}: {NAME} names {name!r}, which is outside of the backup")
    return manifest


def content_name(content_id: int) -> str:
    """Return the name of a content in a backup; its file is the content, octet by octet."""
    name = format_id(content_id)
    return f"content/{name[-2:].lower()}/{name}"


def part_of(file: BinaryIO, told: Callable[[int], None] = lambda octets: None) -> Part:
    """Return size and hash of what is left of a file; `told` hears of each piece."""
    digest, size = hashlib.sha256(), 0
    while piece := file.read(PIECE_OCTETS):
        digest.update(piece)
        size += len(piece)
        told(len(piece))
    return Part(size, digest.hexdigest())
