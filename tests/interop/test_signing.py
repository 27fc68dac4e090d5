"""The signing process of a real server: killed under load, with keys that change, and at the end."""

import asyncio
import contextlib
import os
import re
import signal
import smtplib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import dkim as dkimpy
import pytest

from postroad.runtime.config import load_config
from postroad.runtime.office import Office
from postroad.service.keys import BOTH, signing_key
from tests.interop.exchange import login, read_mail
from tests.interop.serving_process import BOB, Serving, serving_process

CLIENTS = 4  # threads; loops on two cores have six of them, and making keys needs one
KILLS = 5
LARGE = b"a line of a large body\r\n" * 15_000


def message(number: int) -> bytes:
    body = LARGE if number % 40 == 7 else b"It is number %d.\r\n" % number * (number % 30)
    return (
        b"From: Bob <%b>\r\nTo: %b\r\nSubject: number %d\r\nMessage-ID: <%d@us.test>\r\n\r\n"
        % (BOB.encode(), BOB.encode(), number, number)
    ) + body


def signing_processes(server: int) -> list[int]:
    """The ids of the processes that sign for a server."""
    found = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # one just ended
        for thread in Path(f"/proc/{server}/task").iterdir():
            for child in (thread / "children").read_text().split():
                words = Path(f"/proc/{child}/cmdline").read_bytes()
                if b"postroad.runtime.signing.process" in words:
                    found.append(int(child))
    return found


async def add_keys(serving: Serving) -> dict[bytes, bytes]:
    """Make new keys, which sign from now on; return their records."""
    async with Office.open(load_config(serving.config)) as office:
        keys = await office.keys.add("us.test", BOTH, sign_now=True)
    made = [signing_key(key) for key in keys]
    return {f"{key.name}.".encode(): key.record().encode() for key in made}


def send(serving: Serving, numbers: Iterator[int], deferred: list[int]) -> None:
    """Send messages until each is acknowledged, as a client does that is told 451."""
    client = login(serving.mailserver("submission"))
    for number in numbers:
        ends_at = time.monotonic() + 60
        while not sent(client, number):
            assert time.monotonic() < ends_at
            deferred.append(number)
            time.sleep(0.05)
        time.sleep(0.05)
    client.quit()


def sent(client: smtplib.SMTP, number: int) -> bool:
    """Hand a message in; return whether it was taken, and not deferred."""
    try:
        client.sendmail(BOB, [BOB], message(number))
    except smtplib.SMTPDataError as error:
        if error.smtp_code != 451:
            raise
        return False
    return True


class Numbers:
    """Counts up, for several threads, until it is told to stop."""

    def __init__(self) -> None:
        self.stopped = False
        self.count = 0
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        with self._lock:
            if self.stopped:
                raise StopIteration
            self.count += 1
            return self.count - 1

    async def go_on(self, more: int) -> None:
        """Wait until so many more messages were taken, or nearly so many."""
        enough = self.count + more
        while self.count < enough:
            await asyncio.sleep(0.01)


async def kill_one(server: int) -> None:
    """Stop the signing process, so that something waits for it, and kill it."""
    while not (found := signing_processes(server)):
        await asyncio.sleep(0.01)
    (pid,) = found
    os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(0.2)
    os.kill(pid, signal.SIGKILL)
    while pid in signing_processes(server):
        await asyncio.sleep(0.01)


async def test_killed_under_load_while_keys_change(tmp_path: Path) -> None:
    limits = {"max_transactions": 1_000_000}
    with serving_process(tmp_path, tmp_path / "data", limits=limits) as serving:
        server = serving.process.pid
        await asyncio.to_thread(send, serving, iter([0]), [])
        assert signing_processes(server) == []  # without keys there is nothing to be signed
        records = await add_keys(serving)
        await asyncio.sleep(1.5)
        deferred: list[int] = []
        numbers = Numbers()
        next(numbers)
        sending = asyncio.gather(
            *(asyncio.to_thread(send, serving, numbers, deferred) for _ in range(CLIENTS))
        )
        try:
            for number in range(KILLS):
                await numbers.go_on(20)
                await kill_one(server)
                if number == 1:
                    records |= await add_keys(serving)
                    await asyncio.sleep(1.5)
            await numbers.go_on(20)
        finally:
            numbers.stopped = True
            await sending
        assert len(deferred) >= KILLS, "nothing waited for the process when it was killed"
        mail = await asyncio.to_thread(read_mail, serving.mailserver("pop3"))
        log = (tmp_path / "log").read_text()
        assert log.count("the signing process failed; starting another") == KILLS
        assert "Traceback" not in log
        (last,) = signing_processes(server)
    assert not Path(f"/proc/{last}").exists()  # it ended with the server
    found = Counter(int(re.findall(rb"Subject: number (\d+)", each)[0]) for each in mail)
    assert found == Counter(range(numbers.count))
    selectors = Counter[bytes]()
    for each in mail:
        if b"Subject: number 0\r\n" in each:
            continue  # from before there were keys
        assert each.count(b"DKIM-Signature:") == 2
        for index in range(2):
            assert dkimpy.DKIM(each).verify(index, dnsfunc=answering(records))
        selectors.update(re.findall(rb" s=(\w+);", each))
    assert len(selectors) == 4, selectors  # the old keys and the new


def answering(records: dict[bytes, bytes]) -> Callable[..., bytes]:
    """A DNS for dkimpy."""
    return lambda name, timeout=5: records[name]


async def test_it_dies_with_the_server(tmp_path: Path) -> None:
    with serving_process(tmp_path, tmp_path / "data") as serving:
        await add_keys(serving)
        await asyncio.sleep(1.5)
        await asyncio.to_thread(send, serving, iter([1]), [])
        (pid,) = signing_processes(serving.process.pid)
        os.kill(serving.process.pid, signal.SIGKILL)
        ends_at = time.monotonic() + 10
        while _alive(pid):
            assert time.monotonic() < ends_at
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("signers", [0, 2])
async def test_none_and_two_of_them(tmp_path: Path, signers: int) -> None:
    with serving_process(tmp_path, tmp_path / "data", trust={"signers": signers}) as serving:
        records = await add_keys(serving)
        await asyncio.sleep(1.5)
        await asyncio.gather(
            *(asyncio.to_thread(send, serving, iter([n, n + 10]), []) for n in range(10))
        )
        assert len(signing_processes(serving.process.pid)) == signers
        mail = await asyncio.to_thread(read_mail, serving.mailserver("pop3"))
    for each in mail:
        for index in range(2):
            assert dkimpy.DKIM(each).verify(index, dnsfunc=answering(records))


def _alive(pid: int) -> bool:
    """Whether it runs: a process that nobody waited for is dead, too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
