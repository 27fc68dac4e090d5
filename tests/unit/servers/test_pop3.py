"""The POP3 server over real sockets: the standard library's client, and attacks."""

import asyncio
import poplib
import socket
import ssl
import struct
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import postroad.servers.connection
from postroad.model import ContentRef
from postroad.network.tls import ServerTls
from postroad.servers.registry import Registry
from postroad.wire.pop3 import ServerConfig
from tests.unit.mailbox.fakes import PREFIX, FakeMailboxes
from tests.unit.network.certificates import Authority
from tests.unit.servers.pop3_server import LOOPS, PASSWORD, USER, Server, read_all

SMALL = b"Subject: small\r\n\r\n.dot\r\n..\r\n.\r\nend\r\n"
LARGE = b"Subject: large\r\n\r\n" + b"".join(b".%06d line of text\r\n" % n for n in range(40_000))
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST


@pytest.fixture(params=sorted(LOOPS))
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    mailboxes = FakeMailboxes([SMALL, LARGE, SMALL])
    with Server(mailboxes, loop_kind=request.param).running() as running:
        yield running
        assert mailboxes.locked == set() or len(running.registry)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    authority = Authority(tmp_path_factory.mktemp("tls"))
    certificate, key = authority.issue("127.0.0.1")
    return authority.path, ServerTls(certificate, key).context


def log_in(server: Server) -> poplib.POP3:
    client = poplib.POP3("127.0.0.1", server.port, timeout=10)
    client.user(USER)
    client.pass_(PASSWORD)
    return client


def joined(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\r\n" for line in lines)


def test_a_session_of_poplib(server: Server) -> None:
    client = log_in(server)
    assert client.stat() == (3, 2 * len(PREFIX + SMALL) + len(PREFIX + LARGE))
    _, lines, _ = client.list()
    assert lines[1] == b"2 %d" % len(PREFIX + LARGE)
    _, ids, _ = client.uidl()
    assert ids == [b"1 777.1", b"2 777.2", b"3 777.3"]
    for number, message in ((1, SMALL), (2, LARGE), (3, SMALL)):
        _, lines, _ = client.retr(number)
        assert joined(lines) == PREFIX + message
    _, lines, _ = client.top(2, 30_000)
    assert joined(lines) == PREFIX + b"".join(LARGE.splitlines(keepends=True)[:30_002])
    client.dele(1)
    with pytest.raises(poplib.error_proto, match="deleted"):
        client.retr(1)
    client.rset()
    client.dele(2)
    client.quit()
    assert list(server.mailboxes.kept[101]) == [1, 3]
    assert server.mailboxes.locked == set()


def test_capabilities(server: Server) -> None:
    client = poplib.POP3("127.0.0.1", server.port, timeout=10)
    capabilities = client.capa()
    assert {"TOP", "UIDL", "PIPELINING", "SASL", "UTF8", "USER"} <= set(capabilities)
    client.utf8()
    client.quit()


@pytest.mark.parametrize("cut", [1, 5, 4096])
def test_everything_pipelined(server: Server, cut: int) -> None:
    script = f"USER {USER}\r\nPASS {PASSWORD}\r\nUIDL\r\nRETR 1\r\nRETR 2\r\nDELE 2\r\nQUIT\r\n"
    with server.connect() as client:
        data = script.encode()
        for start in range(0, len(data), cut):
            client.sendall(data[start : start + cut])
        heard = read_all(client)
    assert heard.endswith(b"\r\n.\r\n+OK message 2 deleted\r\n+OK goodbye\r\n")
    stuffed = (PREFIX + LARGE).replace(b"\r\n.", b"\r\n..")
    assert b"+OK %d octets\r\n" % len(PREFIX + LARGE) + stuffed + b".\r\n" in heard
    assert list(server.mailboxes.kept[101]) == [1, 3]


def test_a_client_that_closes_its_side_is_answered(server: Server) -> None:
    with server.connect() as client:
        client.sendall(f"USER {USER}\r\nPASS {PASSWORD}\r\nDELE 1\r\nQUIT\r\n".encode())
        client.shutdown(socket.SHUT_WR)
        assert read_all(client).endswith(b"+OK goodbye\r\n")
    assert list(server.mailboxes.kept[101]) == [2, 3]


def test_logins_that_fail(server: Server) -> None:
    client = poplib.POP3("127.0.0.1", server.port, timeout=10)
    client.user("throttled@example.test")
    with pytest.raises(poplib.error_proto, match=r"\[SYS/TEMP\].*7 seconds"):
        client.pass_("x")
    client.user("nobody@example.test")
    with pytest.raises(poplib.error_proto, match=r"\[AUTH\]") as unknown:
        client.pass_("x")
    client.user(USER)
    with pytest.raises(poplib.error_proto, match=r"\[AUTH\]") as wrong:
        client.pass_("x")
    assert str(unknown.value) == str(wrong.value)
    with pytest.raises((poplib.error_proto, OSError)):
        client.noop()
    client.close()


def test_one_session_at_a_time(server: Server) -> None:
    first = log_in(server)
    second = poplib.POP3("127.0.0.1", server.port, timeout=10)
    second.user(USER)
    with pytest.raises(poplib.error_proto, match=r"\[IN-USE\]"):
        second.pass_(PASSWORD)
    first.quit()
    second.user(USER)
    second.pass_(PASSWORD)
    second.quit()


# The last is more than socket buffers take, so that QUIT waits behind what the client will not get.
@pytest.mark.parametrize(
    "command", [b"", b"NOOP\r\n", b"RETR 2\r\n" * 20 + b"QUIT\r\n"], ids=["", "noop", "quit"]
)
def test_a_connection_that_breaks_deletes_nothing_and_frees_the_lock(
    server: Server, command: bytes
) -> None:
    for _ in range(3):
        client = server.log_in()
        client.sendall(b"DELE 1\r\nDELE 3\r\n" + command)
        assert client.recv(10)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        client.close()
        server.wait_until_alone()
        assert server.mailboxes.locked == set()
    assert list(server.mailboxes.kept[101]) == [1, 2, 3]


def test_a_message_that_cannot_be_read(server: Server) -> None:
    client = log_in(server)
    server.mailboxes.broken.add("content 1")
    with pytest.raises(poplib.error_proto, match=r"\[SYS/TEMP\].*cannot be read now"):
        client.retr(1)
    _, lines, _ = client.retr(3)
    assert joined(lines) == PREFIX + SMALL
    client.quit()


def test_a_message_that_breaks_off_is_never_ended_by_a_dot(server: Server) -> None:
    server.mailboxes.broken.add("cut 2")
    with server.log_in() as client:
        client.sendall(b"RETR 2\r\nQUIT\r\n")
        heard = read_all(client)
    assert not heard.endswith(b"\r\n.\r\n")
    assert b"goodbye" not in heard
    server.wait_until_alone()
    assert server.mailboxes.locked == set()


def test_a_commit_that_fails_is_said(server: Server) -> None:
    client = log_in(server)
    server.mailboxes.broken.add("commit")
    client.dele(1)
    with pytest.raises(poplib.error_proto, match=r"\[SYS/TEMP\]"):
        client.quit()
    client.close()
    assert list(server.mailboxes.kept[101]) == [1, 2, 3]
    assert server.mailboxes.locked == set()


def test_a_bug_of_ours_is_an_answer_and_an_end(server: Server) -> None:
    with server.connect() as client:
        client.sendall(b"USER crash@example.test\r\nPASS x\r\nCAPA\r\n")
        assert read_all(client).endswith(b"-ERR [SYS/TEMP] internal error, closing\r\n")
    server.wait_until_alone()


def test_shutting_down_says_so(server: Server) -> None:
    with server.log_in() as client:
        client.sendall(b"DELE 1\r\n")
        assert client.recv(100) == b"+OK message 1 deleted\r\n"
        server.call(server.registry.shut_down(2.0))
        assert read_all(client) == b"-ERR [SYS/TEMP] server is shutting down\r\n"
    assert list(server.mailboxes.kept[101]) == [1, 2, 3]


# TLS


@pytest.mark.parametrize("loop_kind", sorted(LOOPS))
def test_implicit_tls(certificate: tuple[Path, ssl.SSLContext], loop_kind: str) -> None:
    authority, context = certificate
    machine = ServerConfig(hostname="pop.test")
    mailboxes = FakeMailboxes([SMALL, LARGE])
    serving = Server(mailboxes, machine=machine, tls=context, implicit=True, loop_kind=loop_kind)
    with serving.running() as server:
        trust = ssl.create_default_context(cafile=str(authority))
        client = poplib.POP3_SSL("127.0.0.1", server.port, context=trust, timeout=10)
        client.user(USER)
        client.pass_(PASSWORD)
        assert "STLS" not in client.capa()
        _, lines, _ = client.retr(2)
        assert joined(lines) == PREFIX + LARGE
        client.dele(1)
        client.quit()
    assert list(mailboxes.kept[101]) == [2]


@pytest.mark.parametrize("loop_kind", sorted(LOOPS))
def test_stls(certificate: tuple[Path, ssl.SSLContext], loop_kind: str) -> None:
    authority, context = certificate
    machine = ServerConfig(hostname="pop.test", starttls=True)
    serving = Server(FakeMailboxes([SMALL]), machine=machine, tls=context, loop_kind=loop_kind)
    with serving.running() as server:
        client = poplib.POP3("127.0.0.1", server.port, timeout=10)
        with pytest.raises(poplib.error_proto, match="STLS first"):
            client.user(USER)
        client.stls(ssl.create_default_context(cafile=str(authority)))
        client.user(USER)
        client.pass_(PASSWORD)
        _, lines, _ = client.retr(1)
        assert joined(lines) == PREFIX + SMALL
        client.quit()


@pytest.mark.parametrize("loop_kind", sorted(LOOPS))
def test_commands_injected_before_the_handshake_are_dropped(
    certificate: tuple[Path, ssl.SSLContext], loop_kind: str
) -> None:
    """ATTACKS 2, CVE-2011-0411."""
    authority, context = certificate
    machine = ServerConfig(hostname="pop.test", starttls=True)
    serving = Server(FakeMailboxes([SMALL]), machine=machine, tls=context, loop_kind=loop_kind)
    with serving.running() as server, server.connect() as raw:
        raw.sendall(b"STLS\r\nUSER mallory\r\nCAPA\r\n")
        heard = b""
        while heard.count(b"\r\n") < 2:
            heard += raw.recv(1000)
        assert heard.endswith(b"\r\n+OK begin TLS negotiation\r\n")
        trust = ssl.create_default_context(cafile=str(authority))
        with trust.wrap_socket(raw, server_hostname="127.0.0.1") as client:
            client.sendall(b"PASS x\r\n")
            assert client.recv(1000) == b"-ERR USER comes first\r\n"


# ATTACKS 4, 21, 25


def test_a_command_line_of_8_mib(server: Server) -> None:
    tracemalloc.start()
    with server.connect() as client:
        with suppress(ConnectionError):  # it may hang up before the end
            for _ in range(128):
                client.sendall(b"A" * 65536)
        assert b"USER" not in read_all(client)
    server.wait_until_alone()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20


def test_a_million_messages_and_a_client_that_does_not_read(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postroad.servers.connection, "DRAIN_SECONDS", 1.0)
    mailboxes = server.mailboxes
    mailboxes.kept[101] = dict.fromkeys(range(1, 1_000_001), SMALL)
    lazy = server.log_in()
    lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    lazy.sendall(b"DELE 1\r\n")
    assert lazy.recv(100).startswith(b"+OK")  # all that logging in has to do is done
    tracemalloc.start()
    lazy.sendall(b"UIDL\r\nQUIT\r\n")
    time.sleep(0.2)
    for _ in range(20):  # others are served meanwhile
        poplib.POP3("127.0.0.1", server.port, timeout=10).quit()
    server.wait_until_alone()  # dropped: it left our answer unread
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    lazy.close()
    assert peak < 8 * 2**20
    assert len(mailboxes.kept[101]) == 1_000_000
    assert mailboxes.locked == set()


def test_a_long_list_leaves_others_their_turn(server: Server) -> None:
    server.mailboxes.kept[101] = dict.fromkeys(range(1, 300_001), SMALL)
    reader = server.log_in()
    reader.sendall(b"UIDL\r\nQUIT\r\n")

    async def longest_gap() -> float:
        longest, last = 0.0, time.monotonic()
        while len(server.registry):
            await asyncio.sleep(0)
            now = time.monotonic()
            longest, last = max(longest, now - last), now
        return longest

    watching = asyncio.run_coroutine_threadsafe(longest_gap(), server.loop)
    heard = read_all(reader)
    reader.close()
    assert heard.count(b"\r\n") == 300_003
    assert watching.result(10) < 0.25


def test_one_octet_at_a_time_does_not_hold_a_connection() -> None:
    machine = ServerConfig(hostname="pop.test", auth_without_tls=True, login_seconds=0.5)
    with Server(FakeMailboxes(), machine=machine).running() as server, server.connect() as client:
        began = time.monotonic()
        with suppress(ConnectionError):
            while time.monotonic() - began < 5.0:
                client.sendall(b"U")
                time.sleep(0.05)
        assert time.monotonic() - began < 2.0
        server.wait_until_alone()


def test_a_handshake_that_never_comes(certificate: tuple[Path, ssl.SSLContext]) -> None:
    machine = ServerConfig(hostname="pop.test", starttls=True, login_seconds=60.0)
    serving = Server(FakeMailboxes(), machine=machine, tls=certificate[1], implicit=True)
    with serving.running() as server, server.connect() as client:
        assert read_all(client) == b""  # cut by the time-out of the handshake


def test_too_many_connections_from_one_address() -> None:
    serving = Server(FakeMailboxes(), registry=Registry(max_per_client=2))
    with serving.running() as server:
        kept = [server.connect(), server.connect()]
        for client in kept:
            assert client.recv(100).startswith(b"+OK")
        with server.connect() as third:
            assert read_all(third).startswith(b"-ERR [SYS/TEMP] too many connections")
        for client in kept:
            client.close()
        server.wait_until_alone()
        poplib.POP3("127.0.0.1", server.port, timeout=10).quit()


def test_the_time_that_our_answer_takes_is_no_idleness(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = FakeMailboxes([SMALL], in_files=True)
    waited: list[float] = []

    async def read(ref: ContentRef, offset: int = 0, limit: int | None = None) -> bytes:
        await asyncio.sleep(0.2)
        return SMALL

    monkeypatch.setattr(slow, "read", read)
    with Server(slow).running() as server:
        client = log_in(server)
        (connection,) = server.registry._open
        machine = connection.machine  # type: ignore[attr-defined]

        async def look() -> None:  # in the loop, where no answer is half done
            waited.append(machine.deadline())

        server.call(look())
        client.retr(1)
        server.call(look())
        assert waited[1] - waited[0] >= 0.2
        client.quit()
