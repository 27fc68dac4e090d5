"""The lab as people use it, and every fault through the real system: what the journey says of it."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from postroad.lab.panel import commands, write_files
from postroad.lab.world import World, words
from postroad.model import DeliveryState

ALICE, BOB = "alice@sender.test", "bob@receiver.test"
Require = Callable[[str], Path]


def lab(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "postroad.cli.main", "lab", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1", "PYTHONWARNINGS": "error"},
    )


def finished(process: "subprocess.Popen[str]") -> str:
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert errors == ""
    return output


# The command


def test_once_tells_the_whole_road() -> None:
    output = finished(lab("--once"))

    where = [
        (line.split()[2], line.split()[3])
        for line in output.splitlines()
        if line.split()[1:2] == ["s"]
    ]
    for step in (
        ("client", "auth"),
        ("client", "submit"),
        ("sender.test", "accepted"),
        ("sender.test", "split"),
        ("sender.test", "lookup"),
        ("sender.test", "connect"),
        ("sender.test", "tls"),
        ("receiver.test", "accepted"),
        ("sender.test", "delivered"),
        ("receiver.test", "deposited"),
        ("client", "read"),
    ):
        assert step in where, output
    assert "local part 'bob', domain 'receiver.test'" in output
    for result in (
        "sign: accept",
        "spf: accept",
        "pass: ip4:",
        "dkim: accept",
        "pass of sender.test",
        "dmarc: accept",
    ):
        assert result in output
    added = "Return-Path, Delivered-To, Authentication-Results, Received, DKIM-Signature, Received"
    assert f"octets as they were sent, plus {added}" in output
    assert "\x1b" not in output


def test_once_as_json() -> None:
    data = json.loads(finished(lab("--once", "--json")))

    assert data["ok"] is True
    assert data["problem"] == ""
    assert data["read_octets"] > data["sent_octets"]
    assert data["added"] == [
        "Return-Path",
        "Delivered-To",
        "Authentication-Results",
        "Received",
        "DKIM-Signature",
        "Received",
    ]
    assert len(data["queue_id"]) == 13
    seconds = [milestone["seconds"] for milestone in data["milestones"]]
    assert seconds == sorted(seconds)
    assert {milestone["where"] for milestone in data["milestones"]} == {
        "client",
        "sender.test",
        "receiver.test",
    }
    assert [system["domain"] for system in data["systems"]] == ["sender.test", "receiver.test"]


def test_a_lab_beside_an_open_lab_goes_elsewhere(tmp_path: Path) -> None:
    with lab("--json") as opened:
        try:
            assert opened.stdout is not None
            first = json.loads(opened.stdout.readline())
            second = json.loads(finished(lab("--once", "--json", "--keep", str(tmp_path))))
        finally:
            opened.terminate()
            opened.communicate(timeout=30)

    assert second["ok"]
    places = [system["mx"] for each in (first, second) for system in each["systems"]]
    assert len(set(places)) == 4
    assert first["systems"][0]["dns"] != second["systems"][0]["dns"]
    assert (tmp_path / "mx1.sender.test" / "data" / "postroad.db").exists()
    assert not Path(first["systems"][0]["ca_file"]).exists()


async def test_worlds_with_the_same_names_do_not_meet() -> None:
    async with World(block="127.0.0") as one, World(block="127.0.0") as other:
        for world in (one, other):
            await world.add_domain("sender.test", ["alice"])
            await world.add_domain("receiver.test", ["bob"])

        await one.send(ALICE, BOB, subject="one")
        await other.send(ALICE, BOB, subject="other")

        (message,) = await one.wait_for(BOB)
        assert b"Subject: one\r\n" in message
        (message,) = await other.wait_for(BOB)
        assert b"Subject: other\r\n" in message


def test_the_open_lab_follows_journeys_and_ends_when_told(tmp_path: Path) -> None:
    with lab("--json", "--keep", str(tmp_path)) as process:
        try:
            assert process.stdout is not None
            systems = json.loads(process.stdout.readline())["systems"]
            host, _, port = systems[0]["submission"].rpartition(":")
            _submit(host, int(port), systems[0])
            seen: set[tuple[str, str]] = set()
            while not {("receiver.test", "deposited"), ("sender.test", "delivered")} <= seen:
                line = json.loads(process.stdout.readline())
                seen.add((line["where"], line["what"]))
            process.terminate()
            _, errors = process.communicate(timeout=30)
            assert (process.returncode, errors) == (0, "")
        finally:
            process.kill()


def _submit(host: str, port: int, system: dict[str, object]) -> None:
    import smtplib
    import ssl

    accounts = system["accounts"]
    assert isinstance(accounts, dict)
    with smtplib.SMTP(host, port, timeout=10) as client:
        client.starttls(context=ssl.create_default_context(cafile=str(system["ca_file"])))
        client.login(ALICE, accounts[ALICE])
        client.sendmail(ALICE, [BOB], b"From: alice@sender.test\r\nSubject: live\r\n\r\nHello\r\n")


# The world


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World(retry_seconds=0.2, patience_seconds=3.0) as world:
        await world.add_domain("sender.test", ["alice"])
        await world.add_domain("receiver.test", ["bob"])
        yield world


async def test_bytes_arrive_as_they_were_sent(world: World) -> None:
    data = b"Subject: bytes\r\nFrom: a@sender.test\r\nDate: Tue, 24 Nov 2026 00:00:00 +0000\r\n"
    data += b"Message-ID: <1@x>\r\n\r\n.\r\n..\r\n.a\r\n\xc3\xa9\r\n\r\n" + b"x" * 900 + b"\r\n\r\n"

    await world.send(ALICE, BOB, data)

    (message,) = await world.wait_for(BOB)
    assert message.endswith(data)


async def test_the_commands_of_the_panel_work(world: World, require: Require) -> None:
    write_files(world, ALICE, BOB)
    by_name = dict(commands(world, ALICE, BOB))
    require("curl")

    await _shell(f"{by_name['send (curl)']} --silent --show-error")
    await world.wait_for(BOB)

    assert b"Subject: A letter" in await _shell(f"{by_name['read (curl)']} --silent")
    if shutil.which("msmtp"):
        await _shell(by_name["send (msmtp)"])
        assert len(await world.wait_for(BOB, count=2)) == 2


async def _shell(command: str) -> bytes:
    process = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0, command
    return output


async def test_one_address_is_enough() -> None:
    async with World(one_address=True, retry_seconds=0.2) as world:
        await world.add_domain("sender.test", ["alice"])
        site = await world.add_domain("receiver.test", ["bob"])
        assert site.mx[0] == "127.0.0.1"

        queue_id = await world.send(ALICE, BOB)

        await world.wait_for(BOB)
        assert f"{site.address}:25" in words(await world.settled(queue_id))


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        ("refuse", "connection refused"),
        ("busy", "421"),
        ("greylist", "451 4.7.1 Greylisted"),
        ("tempfail", "451 4.3.0 Not now"),
        ("broken_tls", "TLS handshake failed"),
        ("drop_in_data", "connection"),
    ],
)
async def test_mail_gets_past_a_first_mx_that_fails(
    world: World, behaviour: str, told: str
) -> None:
    host = await world.host(
        "mx0.receiver.test", behaviour, domain="receiver.test", preference=5, times=1
    )
    assert host is not None

    queue_id = await world.send(ALICE, BOB)

    journey = await world.settled(queue_id)
    text = words(journey)
    assert journey.deliveries[0].state is DeliveryState.DELIVERED, text
    assert told in text
    assert "5 mx0.receiver.test" in text
    here = len(await world.inbox(BOB))
    assert here + len(host.messages) == 1, text


async def test_a_first_mx_that_never_answers_costs_its_time_only() -> None:
    async with World(retry_seconds=0.2, patience_seconds=1.0) as world:
        await world.add_domain("sender.test", ["alice"])
        await world.add_domain("receiver.test", ["bob"])
        host = await world.host("mx0.receiver.test", "timeout", domain="receiver.test")
        assert host is not None

        queue_id = await world.send(ALICE, BOB)

        journey = await world.settled(queue_id)
        text = words(journey)
        assert host.words == ["open"]
        assert f"{host.address}:{host.port}" in text
        assert "timed out" in text or "no answer" in text or "in time" in text, text
        assert len(await world.inbox(BOB)) == 1
        assert journey.deliveries[0].attempts == 1


async def test_a_null_mx_beside_a_real_one_is_passed_over(world: World) -> None:
    await world.host("receiver.test", "null_mx")

    queue_id = await world.send(ALICE, BOB)

    assert (await world.settled(queue_id)).deliveries[0].state is DeliveryState.DELIVERED


async def test_a_null_mx_alone_returns_the_mail(world: World) -> None:
    world.dns.zones.add_zone("never.test")
    await world.host("never.test", "null_mx")

    queue_id = await world.send(ALICE, "x@never.test", subject="in vain")

    journey = await world.settled(queue_id)
    assert "556 5.1.10" in words(journey)
    assert "null MX" in words(journey)
    assert journey.deliveries[0].state is DeliveryState.BOUNCED
    (report,) = await world.wait_for(ALICE)
    assert b"multipart/report" in report
    assert b"Status: 5.1.10" in report


async def test_a_permanent_refusal_returns_the_mail(world: World) -> None:
    world.dns.zones.remove("receiver.test", "MX")
    await world.host("mx0.receiver.test", "permfail", domain="receiver.test")

    queue_id = await world.send(ALICE, BOB)

    assert "550 5.7.1 Never" in words(await world.settled(queue_id))
    (report,) = await world.wait_for(ALICE)
    assert b"Diagnostic-Code: smtp; 550 5.7.1 Never" in report


async def test_a_connection_that_dies_after_the_dot_is_unknown_and_may_double(
    world: World,
) -> None:
    host = await world.host("mx0.receiver.test", "drop_after_dot", domain="receiver.test", times=1)
    assert host is not None

    queue_id = await world.send(ALICE, BOB)

    journey = await world.settled(queue_id)
    text = words(journey)
    assert "unknown" in [line.what for line in journey.lines], text
    assert "it may have been delivered" in text
    assert len(host.messages) + len(await world.inbox(BOB)) == 2, text


async def test_a_slow_host_and_a_slow_network_are_only_slow(world: World) -> None:
    world.dns.zones.remove("receiver.test", "MX")
    host = await world.host("mx0.receiver.test", "slow", domain="receiver.test", delay_seconds=0.03)
    assert host is not None
    world.network.latency_seconds = 0.05

    journey = await world.settled(await world.send(ALICE, BOB))

    assert len(host.messages) == 1
    assert journey.lines[-1].seconds > 0.3


@pytest.mark.parametrize(("fault", "told"), [("SERVFAIL", "SERVFAIL"), ("timeout", "timed out")])
async def test_a_dns_that_fails_defers_until_it_is_mended(fault: str, told: str) -> None:
    async with World(retry_seconds=0.2, patience_seconds=0.6) as world:
        await world.add_domain("sender.test", ["alice"])
        await world.add_domain("receiver.test", ["bob"])
        world.dns.fail("receiver.test", fault)

        queue_id = await world.send(ALICE, BOB)

        deferred = await world.journey_with(
            queue_id, lambda journey: any(line.what == "deferred" for line in journey.lines)
        )
        text = words(deferred)
        assert told in text or "no answer within" in text, text
        world.dns.heal()
        assert (await world.settled(queue_id)).deliveries[0].state is DeliveryState.DELIVERED


async def test_an_unknown_domain_returns_the_mail(world: World) -> None:
    journey = await world.settled(await world.send(ALICE, "x@nowhere.example"))

    assert "550 5.1.2" in words(journey)
    assert len(await world.wait_for(ALICE)) == 1


async def test_a_site_that_stops_gets_its_mail_when_it_is_back(world: World) -> None:
    site = world.sites["receiver.test"]
    await site.stop()

    queue_id = await world.send(ALICE, BOB)
    await world.journey_with(queue_id, lambda j: j.deliveries[0].attempts >= 1)
    await site.restart()

    await world.wait_for(BOB)
    assert "connection refused" in words(await world.settled(queue_id))


async def test_what_was_accepted_outlives_a_kill(world: World) -> None:
    site = await world.add_domain("crash.test", ["carol"], own_process=True)
    await world.sites["receiver.test"].stop()
    queue_ids = [await world.send("carol@crash.test", BOB, subject=f"{n}") for n in range(5)]

    await site.crash()
    await world.sites["receiver.test"].restart()
    await site.restart()

    messages = await world.wait_for(BOB, count=5)
    assert len(messages) >= 5
    for queue_id in queue_ids:
        await world.settled(queue_id)


async def test_one_site_for_two_domains_and_a_catch_all(world: World) -> None:
    site = await world.add_domain("one.test", ["ann"])
    await world.add_domain("two.test", catch_all="all", site=site)

    await world.send("ann@one.test", ["x@two.test", "y@two.test"], subject="both")
    await world.send(ALICE, "z@two.test", subject="one")

    # Two recipients of one message that lead to one mailbox get it once.
    await world.wait_for("all@two.test", count=2)
    assert b"Subject: both" in (await world.inbox("x@two.test"))[0]
    (message,) = await world.wait_for("z@two.test")
    assert b"Subject: one" in message
