"""Streams over real loopback sockets, on both event loops."""

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from peers.tools import free_port
from postroad.model import TlsFailure, TlsPolicy
from postroad.network import AsyncNetwork, ClientTls, ServerTls
from postroad.ports import ConnectFailed, Stream, TlsFailed
from tests.unit.network.certificates import Authority

Run = Callable[[Awaitable[None]], None]
Serve = Callable[[socket.socket], None]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    factory = uvloop.new_event_loop if request.param == "uvloop" else None

    def runner(work: Awaitable[None]) -> None:
        async def main() -> None:
            async with asyncio.timeout(60):
                await work

        with asyncio.Runner(loop_factory=factory) as loop:
            loop.run(main())

    return runner


@contextlib.asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[int]:
    """Serve one connection in a thread: the peer must not share the event loop it helps to test."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(20)

    def accept() -> None:
        # OSError: the client went away, or came not at all
        with contextlib.suppress(OSError), listener.accept()[0] as peer:
            peer.settimeout(20)
            serve(peer)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        await asyncio.to_thread(thread.join)  # the loop has connections to close meanwhile
        listener.close()


def read_line(peer: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n") and (octet := peer.recv(1)):
        line += octet
    return line


async def connect(port: int, **options: object) -> Stream:
    return await AsyncNetwork().connect("127.0.0.1", port, timeout=10, **options)  # type: ignore[arg-type]


async def receive_all(stream: Stream, octets: int) -> bytes:
    data = b""
    while len(data) < octets:
        piece = await stream.receive(10)
        if not piece:
            break
        data += piece
    return data


def test_dialogue(run: Run) -> None:
    def serve(peer: socket.socket) -> None:
        peer.sendall(b"220 hello\r\n")
        assert read_line(peer) == b"QUIT\r\n"
        peer.sendall(b"221 bye\r\n")

    async def main() -> None:
        async with serving(serve) as port:
            stream = await connect(port)
            assert stream.source == "127.0.0.1"
            assert stream.tls is None
            assert await stream.receive(10) == b"220 hello\r\n"
            await stream.send(b"QUIT\r\n", 2)
            assert await receive_all(stream, 9) == b"221 bye\r\n"
            assert await stream.receive(10) == b""
            assert await stream.receive(10) == b""
            await stream.send(b"into the void", 2)
            stream.close()
            stream.close()

    run(main())


def test_source_address_is_bound(run: Run) -> None:
    def serve(peer: socket.socket) -> None:
        peer.sendall(peer.getpeername()[0].encode())

    async def main() -> None:
        async with serving(serve) as port:
            stream = await connect(port, source="127.0.0.9")
            assert stream.source == "127.0.0.9"
            assert await receive_all(stream, 9) == b"127.0.0.9"
            stream.close()

    run(main())


def test_receive_times_out_and_goes_on(run: Run) -> None:
    go = threading.Event()

    def serve(peer: socket.socket) -> None:
        go.wait(60)
        peer.sendall(b"late")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with serving(serve) as port:
            stream = await connect(port)
            for seconds in (0.2, 0.05, 0.0):
                before = loop.time()
                with pytest.raises(TimeoutError):
                    await stream.receive(seconds)
                assert seconds - 0.01 <= loop.time() - before < seconds + 5
            go.set()
            assert await stream.receive(10) == b"late"
            stream.close()

    run(main())


def test_a_timer_that_was_set_for_an_earlier_wait_does_not_cut_a_later_one(run: Run) -> None:
    def serve(peer: socket.socket) -> None:
        for delay in (0.05, 0.3):
            time.sleep(delay)
            peer.sendall(b"x")
        peer.recv(65536)

    async def main() -> None:
        async with serving(serve) as port:
            stream = await connect(port)
            assert await stream.receive(0.2) == b"x"
            assert await stream.receive(5) == b"x"
            stream.close()

    run(main())


def test_reset_shows_as_end(run: Run) -> None:
    def serve(peer: socket.socket) -> None:
        peer.recv(1)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    async def main() -> None:
        async with serving(serve) as port:
            stream = await connect(port)
            await stream.send(b"x", 10)
            assert await stream.receive(10) == b""
            stream.close()

    run(main())


def test_send_waits_for_a_peer_that_does_not_read(run: Run) -> None:
    go = threading.Event()
    taken = 0

    def serve(peer: socket.socket) -> None:
        nonlocal taken
        go.wait(60)
        while piece := peer.recv(65536):
            taken += len(piece)
        peer.sendall(b"done")

    async def main() -> None:
        async with serving(serve) as port:
            stream = await connect(port)
            piece = b"x" * 2**20
            sent = 0

            async def fill() -> None:
                nonlocal sent
                for _ in range(100):
                    await stream.send(piece, 0.2)
                    sent += len(piece)

            with pytest.raises(TimeoutError):
                await fill()
            assert 0 < sent < 50 * 2**20
            go.set()
            await stream.send(b"y", 5)
            stream.close()
            while taken < sent + len(piece) + 1:
                await asyncio.sleep(0.01)

    run(main())


def test_what_is_not_read_is_bounded(run: Run) -> None:
    written = 0

    def serve(peer: socket.socket) -> None:
        nonlocal written
        peer.settimeout(0.5)
        for _ in range(200):
            written += peer.send(b"x" * 2**18)

    async def main() -> None:
        async with serving(serve) as port:
            stream = await connect(port)
            await asyncio.sleep(1)
            assert written < 30 * 2**20
            first = await stream.receive(10)
            assert len(first) < 2**20
            while await stream.receive(10):
                pass
            stream.close()

    run(main())


def test_reasons_are_an_operators_words(run: Run) -> None:
    async def main() -> None:
        port = free_port()
        with pytest.raises(ConnectFailed) as failed:
            await connect(port)
        assert failed.value.reason == "connection refused"
        with pytest.raises(ConnectFailed) as failed:
            await connect(port, source="192.0.2.1")
        assert failed.value.reason.startswith("our address 192.0.2.1 cannot be used")
        with pytest.raises(ConnectFailed) as failed:
            await AsyncNetwork().connect("mx.test", 25, timeout=1)
        assert failed.value.reason == "'mx.test' is not an IP address"

    run(main())


def test_connect_times_out(run: Run) -> None:
    async def main() -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            port = full.getsockname()[1]
            queued: list[Stream] = []

            async def fill() -> None:
                while len(queued) < 5:  # until its backlog is full
                    queued.append(await AsyncNetwork().connect("127.0.0.1", port, timeout=0.3))

            try:
                with pytest.raises(ConnectFailed) as failed:
                    await fill()
                assert failed.value.reason == "timed out"
            finally:
                for stream in queued:
                    stream.close()

    run(main())


def tls_server(tls: ServerTls) -> Serve:
    def serve(peer: socket.socket) -> None:
        assert read_line(peer) == b"STARTTLS\r\n"
        peer.sendall(b"220 go\r\n")
        with tls.context.wrap_socket(peer, server_side=True) as secure:
            assert read_line(secure) in (b"EHLO\r\n", b"")
            secure.sendall(b"250 secret\r\n")
            secure.recv(100)

    return serve


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def upgrade(stream: Stream, policy: TlsPolicy, name: str) -> None:
    await stream.send(b"STARTTLS\r\n", 2)
    assert await receive_all(stream, 8) == b"220 go\r\n"
    await stream.start_tls(policy, name, 10)


@pytest.mark.parametrize("policy", [TlsPolicy.OPPORTUNISTIC, TlsPolicy.ENCRYPT, TlsPolicy.VERIFY])
def test_upgrade(run: Run, authority: Authority, policy: TlsPolicy) -> None:
    async def main() -> None:
        tls = ServerTls(*authority.issue("mx.test"))
        network = AsyncNetwork(ClientTls(authority.path))
        async with serving(tls_server(tls)) as port:
            stream = await network.connect("127.0.0.1", port, timeout=10)
            await upgrade(stream, policy, "mx.test")
            assert stream.tls is not None
            assert stream.tls.startswith("TLSv1.3 TLS_")
            await stream.send(b"EHLO\r\n", 2)
            assert await receive_all(stream, 12) == b"250 secret\r\n"
            stream.close()

    run(main())


@pytest.mark.parametrize(
    ("trusted", "name"),
    [(False, "mx.test"), (True, "other.test")],
    ids=["unknown CA", "other name"],
)
def test_verify_refuses(run: Run, authority: Authority, trusted: bool, name: str) -> None:
    async def main() -> None:
        tls = ServerTls(*authority.issue("mx.test"))
        network = AsyncNetwork(ClientTls(authority.path if trusted else None))
        async with serving(tls_server(tls)) as port:
            stream = await network.connect("127.0.0.1", port, timeout=10)
            with pytest.raises(TlsFailed) as failed:
                await upgrade(stream, TlsPolicy.VERIFY, name)
            assert f"certificate not valid for {name}" in failed.value.reason
            expected = TlsFailure.HOST_MISMATCH if trusted else TlsFailure.NOT_TRUSTED
            assert failed.value.failure is expected
            assert await stream.receive(10) == b""

    run(main())


@pytest.mark.parametrize("policy", [TlsPolicy.OPPORTUNISTIC, TlsPolicy.VERIFY])
def test_the_chain_that_the_server_showed(
    run: Run, authority: Authority, policy: TlsPolicy
) -> None:
    """DANE needs it whole and unverified; what Python calls it differs by version."""
    certificate, key = authority.issue("mx.test")
    own = certificate.read_bytes()
    certificate.write_bytes(own + authority.path.read_bytes())

    async def main() -> None:
        network = AsyncNetwork(ClientTls(authority.path))
        async with serving(tls_server(ServerTls(certificate, key))) as port:
            stream = await network.connect("127.0.0.1", port, timeout=10)
            assert stream.chain == ()
            await upgrade(stream, policy, "mx.test")
            expected = [ssl.PEM_cert_to_DER_cert(own.decode())]
            expected.append(ssl.PEM_cert_to_DER_cert(authority.path.read_text()))
            assert list(stream.chain) == expected
            stream.close()

    run(main())


@pytest.mark.parametrize("name", ["a" * 70 + ".test", "", ".x", "127.0.0.1", "ü.test"])
def test_opportunistic_tls_takes_any_name(run: Run, authority: Authority, name: str) -> None:
    async def main() -> None:
        tls = ServerTls(*authority.issue("mx.test"))
        async with serving(tls_server(tls)) as port:
            stream = await connect(port)
            await upgrade(stream, TlsPolicy.OPPORTUNISTIC, name)
            assert stream.tls is not None
            stream.close()

    run(main())


def test_bytes_in_clear_behind_the_consent_fail_the_upgrade(run: Run, authority: Authority) -> None:
    def serve(peer: socket.socket) -> None:
        read_line(peer)
        peer.sendall(b"220 go\r\n")
        time.sleep(0.05)
        peer.sendall(b"250 injected\r\n")
        peer.recv(65536)

    async def main() -> None:
        async with serving(serve) as port:
            stream = await connect(port)
            await stream.send(b"STARTTLS\r\n", 2)
            assert await receive_all(stream, 8) == b"220 go\r\n"
            await asyncio.sleep(0.2)
            with pytest.raises(TlsFailed) as failed:
                await stream.start_tls(TlsPolicy.OPPORTUNISTIC, "mx.test", 10)
            assert "in clear" in failed.value.reason
            assert await stream.receive(10) == b""

    run(main())


@pytest.mark.parametrize(
    ("answer", "seconds", "words"),
    [
        (b"500 what?\r\n", 10, "TLS handshake failed"),
        (b"", 10, "closed the connection"),
        (None, 0.3, "timed out after 0.3 s"),
    ],
)
def test_broken_handshakes(run: Run, answer: bytes | None, seconds: float, words: str) -> None:
    def serve(peer: socket.socket) -> None:
        peer.recv(10)
        if answer is None:
            while peer.recv(65536):
                pass
        else:
            peer.sendall(answer)

    async def main() -> None:
        async with serving(serve) as port:
            stream = await connect(port)
            with pytest.raises(TlsFailed) as failed:
                await stream.start_tls(TlsPolicy.OPPORTUNISTIC, "mx.test", seconds)
            assert words in failed.value.reason
            assert await stream.receive(10) == b""

    run(main())


def test_old_tls_is_refused(run: Run, authority: Authority) -> None:
    def serve(peer: socket.socket) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.issue("mx.test"))
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.wrap_socket(peer, server_side=True).close()

    async def main() -> None:
        async with serving(serve) as port:
            stream = await connect(port)
            with pytest.raises(TlsFailed):
                await stream.start_tls(TlsPolicy.OPPORTUNISTIC, "mx.test", 10)

    run(main())
