"""The lab's clients judge servers, so they are judged here, at every split of what a server says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from postroad.lab.ca import Authority
from postroad.lab.clients import (
    ClientFailed,
    Mailserver,
    Pop3Client,
    SubmissionClient,
    stuffed,
    with_client,
)

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(authority: Authority, talk: Talk) -> AsyncIterator[Mailserver]:
    """Run `talk` behind TLS."""
    import ssl

    leaf = authority.issue("server.test", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.certificate, leaf.key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    try:
        yield Mailserver(
            "127.0.0.1", port, "server.test", "u@x.test", "pw", authority.root_file, True
        )
    finally:
        server.close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def pop3(answers: dict[bytes, bytes], size: int) -> Talk:
    """A POP3 server that says its answers in pieces of `size` octets."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"+OK hello\r\n")
        while line := await reader.readline():
            answer = answers.get(line.split()[0], b"+OK\r\n")
            for at in range(0, len(answer), size):
                writer.write(answer[at : at + size])
                await writer.drain()
                if size < 5:
                    await asyncio.sleep(0)

    return talk


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 1000])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"Subject: x\r\n\r\nHello\r\n.\r\n", b"Subject: x\r\n\r\nHello\r\n"),
        (b"..\r\n...\r\n..a\r\n.\r\n", b".\r\n..\r\n.a\r\n"),
        (b"a\r\n\r\n.\r\n", b"a\r\n\r\n"),
        (b".\r\n", b""),
    ],
)
async def test_pop3_gives_the_message_byte_for_byte(
    authority: Authority, size: int, body: bytes, message: bytes
) -> None:
    async with serving(authority, pop3({b"RETR": b"+OK here\r\n" + body}, size)) as server:
        found, said = await with_client(Pop3Client, server, lambda client: client.read(1))

    assert found == message
    assert [each.what for each in said] == ["connect", "tls", "login", "read"]


async def test_pop3_lists_unique_ids(authority: Authority) -> None:
    answers = {b"UIDL": b"+OK\r\n1 aa\r\n2 bb\r\n.\r\n"}
    async with serving(authority, pop3(answers, 3)) as server:
        found, _ = await with_client(Pop3Client, server, lambda client: client.uids())

    assert found == [(1, "aa"), (2, "bb")]


async def test_refusals_quote_the_server_and_not_the_password(authority: Authority) -> None:
    async with serving(authority, pop3({b"PASS": b"-ERR no\r\n"}, 100)) as server:
        with pytest.raises(ClientFailed) as caught:
            await Pop3Client.open(server)

    assert "answered PASS *** with -ERR no" in str(caught.value)
    assert "pw" not in str(caught.value)


async def test_a_server_that_goes_is_said(authority: Authority) -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220-one\r\n")

    async with serving(authority, talk) as server:
        with pytest.raises(ClientFailed, match="closed the connection"):
            await SubmissionClient.open(server)


async def test_a_certificate_of_another_name_is_refused(authority: Authority) -> None:
    async with serving(authority, pop3({}, 100)) as server:
        wrong = Mailserver(
            server.address, server.port, "other.test", "u", "p", server.ca_file, True
        )
        with pytest.raises(ClientFailed, match=r"certificate not valid for other\.test"):
            await Pop3Client.open(wrong)


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        (b".\r\n", b"..\r\n"),
        (b"a\r\n.b\r\n..\r\n", b"a\r\n..b\r\n...\r\n"),
        (b"a", b"a\r\n"),
        (b"", b""),
        (b"a.\r\n", b"a.\r\n"),
    ],
)
def test_dots_are_stuffed(data: bytes, sent: bytes) -> None:
    assert stuffed(data) == sent
