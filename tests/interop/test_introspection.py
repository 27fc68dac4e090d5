"""Logging in by tokens that only their issuer can read: a real server asks a real one over HTTPS."""

import json
import poplib
import smtplib
import ssl
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs

import pytest

from postroad.lab.ca import Authority
from tests.interop.exchange import trusting
from tests.interop.serving_process import BOB, Serving, serving_process

SECRET = "the secret of the mail server"


class Issuer(BaseHTTPRequestHandler):
    """Knows one good token; one that makes it slow, one that breaks it."""

    asked: ClassVar[list[str]] = []
    slow = threading.Event()

    def do_POST(self) -> None:
        login = b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
        body = self.rfile.read(int(self.headers["Content-Length"])).decode("ascii")
        (token,) = parse_qs(body)["token"]
        self.asked.append(token)
        known = login == f"postroad:{SECRET.replace(' ', '+')}" and self.path == "/introspect"
        if token == "slow":
            self.slow.wait(20)
        claims = {"active": token == "good", "aud": "mail", "email": BOB}
        data = json.dumps(claims).encode()
        self.send_response(200 if known and token != "broken" else 500)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    directory = tmp_path_factory.mktemp("serving")
    authority = Authority(directory / "issuer")
    with issuer(authority, "localhost", "127.0.0.1") as port, process(directory, port) as found:
        yield found


class issuer:
    """The issuer on a port of its own, with a certificate for these names."""

    def __init__(self, authority: Authority, *names: str) -> None:
        leaf = authority.issue(*names)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(leaf.certificate, leaf.key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Issuer)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> int:
        self._thread.start()
        port: int = self._server.server_address[1]
        return port

    def __exit__(self, *_: object) -> None:
        Issuer.slow.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def process(directory: Path, port: int):  # type: ignore[no-untyped-def]
    return serving_process(
        directory,
        directory / "data",
        tls={"ca_file": str(directory / "issuer" / "ca.pem")},
        auth={"mechanisms": ["PLAIN", "OAUTHBEARER"]},
        oauth={
            "issuer": "https://id.test",
            "audience": "mail",
            "introspection_url": f"https://127.0.0.1:{port}/introspect",
            "client_id": "postroad",
            "client_secret": SECRET,
            "introspection_seconds": 1,
        },
        limits={"login_failure_seconds": 0},
    )


def log_in(serving: Serving, token: str) -> tuple[int, bytes]:
    """Return what the submission server says to a token in the end."""
    server = serving.mailserver("submission")
    with smtplib.SMTP(server.address, server.port, timeout=30) as client:
        client.starttls(context=trusting(serving.ca_file))
        client.ehlo("client.test")
        message = f"n,a={BOB},\x01auth=Bearer {token}\x01\x01"
        code, said = client.docmd(f"AUTH OAUTHBEARER {b64encode(message.encode()).decode()}")
        return client.docmd("AQ==") if code == 334 else (code, said)


def test_a_token_that_the_issuer_knows(serving: Serving) -> None:
    for _ in range(3):
        code, said = log_in(serving, "good")
        assert code == 235, said
    assert Issuer.asked.count("good") == 1, "the answer is kept"


def test_a_token_that_it_does_not_know(serving: Serving) -> None:
    assert log_in(serving, "forged")[0] == 535


@pytest.mark.parametrize("token", ["slow", "broken"])
def test_an_issuer_in_trouble_lets_nobody_in_and_turns_nobody_away(
    serving: Serving, token: str
) -> None:
    code, said = log_in(serving, token)
    assert (code, said[:5]) == (454, b"4.7.0")
    assert "login not looked up" in serving.process.log()
    server = serving.mailserver("pop3s")
    client = poplib.POP3_SSL(
        server.address, server.port, timeout=30, context=trusting(server.ca_file)
    )
    message = f"n,a={BOB},\x01auth=Bearer {token}\x01\x01"
    with pytest.raises(poplib.error_proto, match=r"SYS/TEMP"):
        client._shortcmd(f"AUTH OAUTHBEARER {b64encode(message.encode()).decode()}")  # type: ignore[attr-defined]
    client.close()


def test_who_could_be_anybody_is_not_asked(tmp_path: Path) -> None:
    """A certificate for another name: nothing is said, not even who we are."""
    Authority(tmp_path / "issuer")
    stranger = Authority(tmp_path / "stranger")
    before = len(Issuer.asked)
    with issuer(stranger, "127.0.0.1") as port, process(tmp_path, port) as found:
        assert log_in(found, "good")[0] == 454
    assert len(Issuer.asked) == before
