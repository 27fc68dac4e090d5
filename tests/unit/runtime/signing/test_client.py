"""One signing process and its end in the server: it signs, dies, hangs, comes back."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable

import pytest

from postroad.model import KeySet, StoredKey
from postroad.ports import SigningFailed
from postroad.runtime.signing import client, frames
from postroad.runtime.signing.client import SigningProcess
from postroad.trust.dkim import sign
from tests.unit.trust.zone import NOW, ed25519_key, rsa_key

KEY = ed25519_key()
HEAD, BODY = b"From: jo@example.test\r\n\r\n", b"hello\r\n"


def key_set(number: int = 1) -> KeySet:
    stored = StoredKey(KEY.domain, KEY.selector, KEY.algorithm.value, KEY.pem(), 0.0)
    return KeySet(number, (stored,), "signed by e")


KEYS = key_set()
SIGNED = sign(HEAD + BODY, [KEY], NOW)


@pytest.fixture
async def process(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SigningProcess]:
    monkeypatch.setattr(client, "RESTART_SECONDS", 0.05)
    made = SigningProcess(asyncio.get_running_loop(), seconds=30.0, max_octets=1_000_000)
    yield made
    await made.close()


async def until(happened: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not happened():
            await asyncio.sleep(0.01)


def ask(process: SigningProcess, body: bytes = BODY) -> "asyncio.Future[bytes]":
    return process.ask(frames.MESSAGE, KEYS, NOW, HEAD, body)


async def test_it_is_started_by_the_first_request(process: SigningProcess) -> None:
    assert process.pid is None
    assert await ask(process) == SIGNED
    assert process.pid is not None


async def test_many_at_once_and_large_ones_in_order(process: SigningProcess) -> None:
    bodies = [b"x" * (size * 997 % 5000) + b"\r\n" for size in range(100)] + [b"y" * 500_000]
    answers = await asyncio.gather(*(ask(process, body) for body in bodies))
    assert answers == [sign(HEAD + body, [KEY], NOW) for body in bodies]
    assert process.waiting == 0


async def test_what_waits_is_bounded(process: SigningProcess) -> None:
    large = [ask(process, b"y" * 300_000) for _ in range(3)]
    with pytest.raises(SigningFailed, match="octets wait to be signed already"):
        ask(process, b"y" * 300_000)
    await asyncio.gather(*large)
    assert await ask(process) == SIGNED


async def test_more_keys_than_it_is_to_know(
    process: SigningProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MAX_KEY_SETS", 3)
    for number in [*range(1, 10), 1, 9]:
        keys = key_set(number)
        assert await process.ask(frames.MESSAGE, keys, NOW, HEAD, BODY) == SIGNED


async def test_why_it_does_not_sign(process: SigningProcess) -> None:
    broken = KeySet(9, (StoredKey("a.test", "s", "rsa-sha256", "no PEM", 0.0),), "")
    with pytest.raises(SigningFailed, match="no private key that can be read"):
        await process.ask(frames.MESSAGE, broken, NOW, HEAD, BODY)
    assert await ask(process) == SIGNED


async def test_its_death_fails_what_waits_and_another_one_comes(process: SigningProcess) -> None:
    await ask(process)
    first = process.pid
    assert first is not None
    os.kill(first, signal.SIGSTOP)
    waiting = [ask(process) for _ in range(3)]
    await asyncio.sleep(0.05)
    os.kill(first, signal.SIGKILL)
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in results] == [SigningFailed] * 3
    await until(lambda: process.pid not in (None, first))
    assert await ask(process) == SIGNED


async def test_it_comes_back_without_being_asked(process: SigningProcess) -> None:
    process.start()
    first = process.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: process.pid not in (None, first))
    assert await ask(process) == SIGNED


async def test_one_that_hangs_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "RESTART_SECONDS", 0.05)
    loop = asyncio.get_running_loop()
    process = SigningProcess(loop, seconds=0.3, max_octets=1000, command=("/bin/sleep", "100"))
    try:
        with pytest.raises(SigningFailed, match=r"no answer in 0\.3 seconds"):
            await ask(process)
        await until(lambda: process.pid is not None)
    finally:
        monkeypatch.setattr(client, "END_SECONDS", 0.1)
        await process.close()


async def test_one_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "RESTART_SECONDS", 0.05)
    loop = asyncio.get_running_loop()
    process = SigningProcess(loop, seconds=9, max_octets=1000, command=("/no/such/program",))
    with pytest.raises(SigningFailed, match="cannot be started"):
        ask(process)
    assert process.ailing
    with pytest.raises(SigningFailed, match="is started anew in a moment"):
        ask(process)
    await asyncio.sleep(0.2)  # it tries again, and again in vain
    assert process.ailing
    await process.close()
    with pytest.raises(SigningFailed, match="the server is stopping"):
        ask(process)


@pytest.mark.parametrize(
    "program",
    [
        "import sys; sys.exit(3)",
        "import os; os.write(0, b'\\0\\0\\0\\0')",
        "import os; os.write(0, b'\\0\\0\\0\\2\\0x' * 2)",
    ],
)
async def test_one_that_talks_nonsense(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "RESTART_SECONDS", 60.0)
    loop = asyncio.get_running_loop()
    command = (sys.executable, "-c", program)
    process = SigningProcess(loop, seconds=30, max_octets=1000, command=command)
    try:
        if program.endswith("* 2)"):
            await asyncio.wait({ask(process)})  # one answer too many
        else:
            with pytest.raises(SigningFailed):
                await ask(process)
        await until(lambda: process.ailing)
        with pytest.raises(SigningFailed):
            ask(process)
    finally:
        await process.close()


async def test_it_does_not_outlive_the_server() -> None:
    process = SigningProcess(asyncio.get_running_loop(), seconds=30.0, max_octets=1000)
    await ask(process)
    pid = process.pid
    assert pid is not None
    await process.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_key_of_rsa(process: SigningProcess) -> None:
    key = rsa_key()
    stored = StoredKey(key.domain, key.selector, key.algorithm.value, key.pem(), 0.0)
    keys = KeySet(5, (stored,), "")
    answer = await process.ask(frames.MESSAGE, keys, NOW, HEAD, BODY)
    assert answer == sign(HEAD + BODY, [key], NOW)
