"""Several signing processes share the work; one that is down gets none."""

import asyncio
import hashlib
import os
import signal

import pytest

from postroad.model import KeySet, StoredKey
from postroad.runtime.signing import client
from postroad.runtime.signing.pool import SigningPool
from postroad.trust.dkim import sign
from tests.unit.trust.zone import NOW, ed25519_key

KEY = ed25519_key()
KEYS = KeySet(1, (StoredKey(KEY.domain, KEY.selector, KEY.algorithm.value, KEY.pem(), 0.0),), "")
HEAD, BODY = b"From: jo@example.test\r\n\r\n", b"hello\r\n"


async def test_two_share_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "RESTART_SECONDS", 60.0)
    pool = SigningPool(2, seconds=30.0, max_octets=1_000_000)
    try:
        assert all(each.pid is None for each in pool.processes)
        pool.start()
        asked = [pool.sign(KEYS, NOW, HEAD, BODY) for _ in range(10)]
        assert [each.waiting for each in pool.processes] == [5, 5]
        signed = sign(HEAD + BODY, [KEY], NOW)
        assert [await each for each in asked] == [signed] * 10
        digest = hashlib.sha256(BODY).digest()
        assert await pool.sign(KEYS, NOW, HEAD, digest, hashed=True) == signed
        assert await pool.sign_digest(KEYS, digest) == KEY.sign(digest)
        first, second = pool.processes
        pid = first.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(30):
            while not first.ailing:
                await asyncio.sleep(0.01)
        assert await pool.sign(KEYS, NOW, HEAD, BODY) == signed
        assert second.pid is not None
    finally:
        await pool.close()
