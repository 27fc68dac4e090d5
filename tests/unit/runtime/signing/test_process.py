"""What the signing process answers, in this process and in its own."""

import hashlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from postroad.model import KeySet, StoredKey
from postroad.runtime.signing import frames
from postroad.runtime.signing.client import COMMAND
from postroad.runtime.signing.process import Desk, serve
from postroad.trust.dkim import Result, sign, verify
from tests.unit.trust.zone import NOW, ed25519_key, rsa_key, zone

KEYS = (ed25519_key(), rsa_key())
STORED = tuple(StoredKey(k.domain, k.selector, k.algorithm.value, k.pem(), 0.0) for k in KEYS)
BOTH = KeySet(1, STORED, "signed by both")
HEAD, BODY = b"From: jo@example.test\r\nSubject: x\r\n\r\n", b"hello \t world\r\n\r\n"


def asked(desk: Desk, kind: int, head: bytes, body: bytes, number: int = 1) -> tuple[int, bytes]:
    answer = desk.answer(frames.Request(kind, number, NOW, head, body))
    (frame,) = frames.FrameReader().feed(answer)
    return frame[0], frame[1:]


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    (frame,) = frames.FrameReader().feed(frames.keys(BOTH))
    assert desk.answer(frames.read_request(frame)) == b""
    return desk


async def test_a_message(desk: Desk) -> None:
    status, fields = asked(desk, frames.MESSAGE, HEAD, BODY)
    assert status == frames.SIGNED
    assert fields == sign(HEAD + BODY, KEYS, NOW)
    checked = await verify(fields + HEAD + BODY, zone(), NOW)
    assert [each.result for each in checked] == [Result.PASS, Result.PASS]


def test_a_message_whose_body_was_hashed(desk: Desk) -> None:
    digest = hashlib.sha256(b"hello world\r\n").digest()
    assert asked(desk, frames.HASHED, HEAD, digest) == asked(desk, frames.MESSAGE, HEAD, BODY)


def test_a_digest(desk: Desk) -> None:
    digest = bytes(range(32))
    assert asked(desk, frames.DIGEST, b"", digest) == (frames.SIGNED, KEYS[0].sign(digest))


def test_a_message_without_an_author(desk: Desk) -> None:
    assert asked(desk, frames.MESSAGE, b"Subject: x\r\n\r\n", BODY) == (frames.SIGNED, b"")


def test_what_cannot_be_signed(desk: Desk) -> None:
    status, reason = asked(desk, frames.MESSAGE, HEAD, BODY, number=2)
    assert (status, reason) == (frames.FAILED, b"there are no keys of number 2")
    broken = KeySet(3, (StoredKey("a.test", "s", "rsa-sha256", "no PEM", 0.0),), "")
    (frame,) = frames.FrameReader().feed(frames.keys(broken))
    desk.answer(frames.read_request(frame))
    status, reason = asked(desk, frames.MESSAGE, HEAD, BODY, number=3)
    assert status == frames.FAILED
    assert b"no private key that can be read" in reason
    assert asked(desk, frames.DIGEST, b"", b"too short")[0] == frames.SIGNED  # Ed25519 signs any
    assert asked(desk, 99, HEAD, BODY)[0] == frames.FAILED


def test_keys_are_forgotten(desk: Desk) -> None:
    assert desk.answer(frames.Request(frames.FORGET, 0, 0.0, b"", b"")) == b""
    assert asked(desk, frames.MESSAGE, HEAD, BODY)[0] == frames.FAILED


@contextmanager
def served() -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=serve, args=(theirs,))
    thread.start()
    try:
        yield ours
    finally:
        ours.close()
        thread.join(10)
        theirs.close()
        assert not thread.is_alive()


def test_answers_come_in_order_and_it_ends_with_the_other_end() -> None:
    with served() as connection:
        connection.settimeout(10)
        one = frames.request(frames.MESSAGE, 1, NOW, HEAD, BODY)
        without = frames.request(frames.MESSAGE, 1, NOW, b"X: y\r\n\r\n", BODY)
        connection.sendall(frames.keys(BOTH) + one + without + one)
        reader = frames.FrameReader()
        came: list[bytes] = []
        while len(came) < 3:
            came += reader.feed(connection.recv(1000))
        assert [each[1:] for each in came] == [sign(HEAD + BODY, KEYS, NOW), b"", came[0][1:]]


def test_the_process_ends_with_the_server_and_not_before() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(COMMAND, stdin=theirs.fileno())
        theirs.close()
        ours.settimeout(30)
        try:
            ours.sendall(frames.keys(BOTH) + frames.request(frames.DIGEST, 1, NOW, b"", b"x" * 32))
            assert ours.recv(1000)
            for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                os.kill(process.pid, signum)
            ours.sendall(frames.request(frames.DIGEST, 1, NOW, b"", b"x" * 32))
            assert ours.recv(1000)
            limits = Path(f"/proc/{process.pid}/limits").read_text()
            assert [line.split()[4] for line in limits.splitlines() if "core file" in line] == ["0"]
            ours.close()
            assert process.wait(10) == 0
        finally:
            process.kill()
            process.wait()
