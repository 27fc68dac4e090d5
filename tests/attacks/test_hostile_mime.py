"""Messages made to break who reads them: the server takes them, keeps every octet, and reads them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from postroad.message.mime import (
    MAX_ADDRESSES,
    MAX_DEPTH,
    MAX_PARTS,
    MimeMessage,
    text_of_message,
)
from postroad.message.mime.fields import MAX_PARAMETERS
from tests.attacks.serving import connected, inbox, serving
from tests.unit.message.mime.work import Counted, work

MIB = 2**20


def nested(levels: int) -> bytes:
    return b"Subject: deep\r\n" + b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level)
        for level in range(levels)
    )


def parts(count: int) -> bytes:
    head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    return head + b"--b\r\n\r\nx\r\n" * count + b"--b--\r\n"


def parameters(count: int) -> bytes:
    flood = b"".join(b";\r\n name*%d*=%%41" % number for number in range(count))
    return b"Content-Type: text/plain" + flood + b"\r\n\r\nx\r\n"


def addresses(octets: int) -> bytes:
    one = b" a@b.example,\r\n"
    return b"To:" + one * (octets // len(one)) + b" z@b.example\r\n\r\nx\r\n"


def unterminated(octets: int) -> bytes:
    return b'Content-Type: text/plain; name="' + b"\r\n x" * (octets // 4) + b"\r\n\r\nx\r\n"


def read(data: bytes) -> MimeMessage:
    message = MimeMessage(data)
    text_of_message(message)
    message.addresses("to")
    return message


@pytest.mark.parametrize(
    ("make", "size"),
    [
        (nested, 1000),
        (parts, 10_000),
        (parameters, 10_000),
        (addresses, MIB),
        (unterminated, MIB),
    ],
)
async def test_taken_kept_and_read(tmp_path: Path, make: Callable[[int], bytes], size: int) -> None:
    data = make(size)
    async with serving(tmp_path) as system, connected(system) as client:
        await client.open_transaction()
        client.send(data + b".\r\n")
        reply = await client.reply()
        assert reply.startswith("250"), reply
        (stored,) = await inbox(system, wait_for=1)
    assert stored.endswith(data), "what was sent is what is kept"
    message = read(stored)
    found = list(message.root.walk())
    assert len(found) <= MAX_PARTS
    assert message.root.end == len(stored)
    if make is nested:
        assert len(found) == MAX_DEPTH + 1
    if make is parameters:
        assert message.root.filename == "A" * MAX_PARAMETERS
    if make is addresses:
        assert len(message.addresses("to")) == MAX_ADDRESSES
    small, large = Counted(make(size // 16)), Counted(make(size // 4))
    assert work(lambda: read(large)) < work(lambda: read(small)) * 4 * 1.2


async def test_a_header_over_the_limit_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as system, connected(system) as client:
        await client.open_transaction()
        client.send(addresses(3 * MIB) + b".\r\n")
        reply = await client.reply()
        assert reply.startswith("552 5.3.4"), reply
        assert await inbox(system) == []
