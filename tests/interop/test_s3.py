"""``postroad serve`` with its large mail in a real S3 server: SeaweedFS."""

import asyncio
import json
import os
import poplib
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from peers.seaweed import KEY_ID, SECRET, Seaweed, client
from peers.tools import wait_until
from postroad.storage.sqlite.store import FILE_NAME
from tests.contracts.objects import BUCKET
from tests.interop.exchange import hand_in, login, numbered, read_mail, serial, trusting
from tests.interop.serving_process import BOB, Serving, command, serving_process

LARGE = 200_000
SMALL = 1_000


@pytest.fixture(scope="module")
def seaweed() -> Iterator[Seaweed]:
    with Seaweed() as server:
        server.make_bucket(BUCKET)
        yield server


def sections(seaweed: Seaweed, prefix: str, durable: str) -> dict[str, dict[str, Any]]:
    return {
        "storage": {"inline_max_octets": 64 * 1024},
        "content": {
            "place": "s3",
            "durable": durable,
            "bucket": BUCKET,
            "prefix": prefix,
            "endpoint": seaweed.endpoint,
            "access_key_id": KEY_ID,
            "secret_access_key": SECRET,
            "retries": 1,
            "retry_seconds": 2.0,
            "connect_seconds": 1.0,
        },
    }


def objects(seaweed: Seaweed, prefix: str) -> dict[str, int]:
    found = client(seaweed.endpoint, KEY_ID, SECRET).list_objects_v2(
        Bucket=BUCKET, Prefix=f"{prefix}content/"
    )
    return {each["Key"].rpartition("/")[2]: each["Size"] for each in found.get("Contents", ())}


def files(server: Serving) -> list[Path]:
    return list((server.data_dir / "content").glob("*/*"))


async def submit(server: Serving, numbers: range, taken: list[int], size: int = LARGE) -> None:
    messages = [numbered(number, BOB, BOB, size) for number in numbers]
    await hand_in(
        lambda: login(server.mailserver("submission")),
        BOB,
        [BOB],
        messages,
        connections=4,
        taken=lambda message: taken.append(serial(message)),
    )


def inbox(server: Serving) -> dict[int, bytes]:
    """Everything in bob's mailbox, read by POP3."""
    found = {}
    for message in read_mail(server.mailserver("pop3s")):
        found[serial(message)] = message
    return found


def complete(server: Serving, numbers: set[int], size: int = LARGE) -> None:
    """Every message is there, byte for byte behind its trace fields."""
    found = inbox(server)
    assert numbers <= found.keys()
    for number in numbers:
        assert found[number].endswith(numbered(number, BOB, BOB, size))


@pytest.mark.parametrize(("durable", "workers"), [("local", 1), ("local", 2), ("s3", 2)])
async def test_large_mail_is_in_s3_and_comes_back(
    seaweed: Seaweed, tmp_path: Path, durable: str, workers: int
) -> None:
    prefix = f"road-{durable}-{workers}/"
    settings = {**sections(seaweed, prefix, durable), "server": {"workers": workers}}
    with serving_process(tmp_path, tmp_path / "data", **settings) as server:
        taken: list[int] = []
        await submit(server, range(20), taken)
        await submit(server, range(100, 105), taken, SMALL)
        wait_until(lambda: not files(server), 20, "all to be in S3")
        there = objects(seaweed, prefix)
        assert len(there) == 20
        assert min(there.values()) > LARGE
        complete(server, set(range(20)))
        complete(server, set(range(100, 105)), SMALL)
        report = json.loads(command(server.config, "verify-data", "--json").stdout)
        assert report["sound"]
        assert report["checked"]["large contents"] == 20
        await restored_elsewhere(seaweed, server, tmp_path)
        delete_all(server)
        wait_until(lambda: objects(seaweed, prefix) == {}, 20, "the objects to be removed")


async def restored_elsewhere(seaweed: Seaweed, server: Serving, tmp_path: Path) -> None:
    """A backup holds what is in S3, too; put back without S3 it serves the same bytes."""
    backup, place = tmp_path / "backup", tmp_path / "elsewhere"
    done = command(server.config, "backup", str(backup), "--json")
    assert json.loads(done.stdout)["copied_contents"] == 20, done.stderr
    place.mkdir()
    other = place / "postroad.toml"
    text = server.config.read_text()
    text = text.replace('place = "s3"', 'place = "file"').replace("s3-", "none-")
    other.write_text(text.replace(str(server.data_dir), str(place / "data")))
    done = command(other, "restore", str(backup), "--json")
    assert done.returncode == 0, done.stderr
    done = command(other, "verify-data", "--json")
    assert json.loads(done.stdout)["sound"], done.stdout
    contents = [path.read_bytes() for path in (place / "data" / "content").glob("*/*")]
    assert len(contents) == 20
    for number in range(20):
        assert any(each.endswith(numbered(number, BOB, BOB, LARGE)) for each in contents)


def delete_all(server: Serving) -> None:
    reach = server.mailserver("pop3s")
    box = poplib.POP3_SSL(reach.address, reach.port, timeout=20, context=trusting(server.ca_file))
    box.user(reach.username)
    box.pass_(reach.password)
    for number in range(1, box.stat()[0] + 1):
        box.dele(number)
    box.quit()


@pytest.mark.parametrize(
    "seconds",
    [5, pytest.param(30, id="30 s", marks=[pytest.mark.soak, pytest.mark.timeout(300)])],
)
async def test_s3_away_loses_nothing(seaweed: Seaweed, tmp_path: Path, seconds: int) -> None:
    """Mail is taken, and read, all the while; the process is killed in the midst of it, too."""
    prefix = f"away-{seconds}/"
    settings = sections(seaweed, prefix, "local")
    taken: list[int] = []
    with serving_process(tmp_path, tmp_path / "data", **settings) as server:
        await submit(server, range(10), taken)
        seaweed.stop()
        try:
            ends_at = time.monotonic() + seconds
            first = 10
            while time.monotonic() < ends_at:
                await submit(server, range(first, first + 10), taken)
                first += 10
                await asyncio.sleep(0.5)
            assert len(files(server)) >= first - 10
            server.process.signal(signal.SIGKILL)
            server.process.stop()
        finally:
            await asyncio.to_thread(seaweed.start)
    with restarted(tmp_path) as process:
        process.wait_for_port("127.0.0.1", server.ports["mx"])
        wait_until(lambda: not files(server), 60, "what was left behind to be in S3")
        assert sorted(taken) == list(range(first))
        assert len(objects(seaweed, prefix)) == first
        complete(server, set(taken))
        assert json.loads(command(server.config, "verify-data", "--json").stdout)["sound"]


def restarted(directory: Path) -> Any:
    from peers.tools import Process
    from tests.interop.serving_process import POSTROAD

    words = [*POSTROAD, "serve", "--config", str(directory / "postroad.toml")]
    return Process(words, directory / "log-again")


async def test_with_durable_in_s3_large_mail_waits_for_it(seaweed: Seaweed, tmp_path: Path) -> None:
    settings = sections(seaweed, "direct/", "s3")
    with serving_process(tmp_path, tmp_path / "data", **settings) as server:
        taken: list[int] = []
        await submit(server, range(3), taken)
        assert len(objects(seaweed, "direct/")) == 3
        seaweed.stop()
        try:
            sender = login(server.mailserver("submission"))
            sender.ehlo()
            sender.mail(BOB)
            sender.rcpt(BOB)
            code, text = await asyncio.to_thread(sender.data, numbered(50, BOB, BOB, LARGE))
            assert (code // 100, text[:1]) == (4, b"4"), text
            await submit(server, range(60, 63), taken, SMALL)
            sender.close()
        finally:
            await asyncio.to_thread(seaweed.start)
        await submit(server, range(50, 51), taken)
        complete(server, {0, 1, 2, 50})
        complete(server, {60, 61, 62}, SMALL)
        assert (server.data_dir / FILE_NAME).exists()
        assert os.path.getsize(server.data_dir / FILE_NAME) < 3 * LARGE
