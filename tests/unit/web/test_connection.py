"""The API over TLS (`listen.https`) in a real `postroad serve`, which ends what is in flight."""

import contextlib
import http.client
import json
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct

from postroad.model import Address, ApiScope, parse_id
from postroad.runtime.config import Config, load_config
from postroad.runtime.office import Office
from tests.unit.runtime.served import PATIENCE_SECONDS, Served, environment, write_config

HOST = "mail.here.test"
BODY = json.dumps({"from": "ann@here.test", "to": "bob@far.test", "text": "Hi"}).encode()


class Running(Struct, frozen=True):
    """A process, its configuration, the port of the API, a key, and whom a client believes."""

    served: Served
    config: Config
    port: int
    token: str
    trust: ssl.SSLContext

    def connect(self, trust: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        """Return a secured connection."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)
        return (trust or self.trust).wrap_socket(plain, server_hostname=HOST)

    def head(self) -> bytes:
        """Return the head of a request to send a message."""
        return (
            f"POST /api/v1/messages HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {self.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
        ).encode()


@pytest.fixture
async def running(tmp_path: Path) -> Running:
    (tmp_path / "data").mkdir()
    path = write_config(tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    environ = environment(POSTROAD_LISTEN__HTTPS=f"127.0.0.1:{port}")
    config = load_config(path, environ)
    async with Office.open(config) as office:
        await office.domains.add("here.test")
        await office.accounts.add(Address("ann", "here.test"), "a long enough password")
        token = await office.api_keys.add("k", (ApiScope.SEND,))
    trust = ssl.create_default_context(cafile=str(tmp_path / "certificate.pem"))
    return Running(Served(path, environ), config, port, token, trust)


@pytest.fixture
def serving(running: Running) -> Iterator[Running]:
    with running.served as served:
        served.wait_for("ready")
        yield running


def answer_of(client: socket.socket) -> tuple[http.client.HTTPResponse, bytes]:
    response = http.client.HTTPResponse(client)
    response.begin()
    return response, response.read()


def refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return True
    return False


async def test_over_tls_and_to_its_end(serving: Running) -> None:
    with serving.connect() as client:
        assert client.version() in ("TLSv1.2", "TLSv1.3")
        client.sendall(serving.head() + BODY)
        response, receipt = answer_of(client)
        assert (response.status, response.headers["strict-transport-security"]) == (
            202,
            "max-age=31536000",
        )
        assert json.loads(receipt)["durability"] == "fsync"
    with pytest.raises(ssl.SSLCertVerificationError):
        serving.connect(ssl.create_default_context())
    with socket.create_connection(("127.0.0.1", serving.port), timeout=PATIENCE_SECONDS) as plain:
        plain.sendall(serving.head() + BODY)  # a key in the clear gets no answer
        plain.settimeout(PATIENCE_SECONDS)
        with contextlib.suppress(ConnectionError):
            assert not plain.recv(1000).startswith(b"HTTP/1.1 2")
    with serving.connect() as idle, serving.connect() as busy:
        busy.sendall(serving.head() + BODY[:10])
        time.sleep(0.2)
        serving.served.signal(signal.SIGTERM)
        assert idle.recv(1000) == b""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not refused(serving.port):
            assert time.monotonic() < deadline, "it takes new connections after SIGTERM"
            time.sleep(0.05)
        busy.sendall(BODY[10:])
        response, receipt = answer_of(busy)
        assert response.status == 202, receipt
    assert serving.served.end() == 0
    number = parse_id(json.loads(receipt)["id"])
    async with Office.open(serving.config) as office:
        assert await office.store.queue.message(number) is not None
