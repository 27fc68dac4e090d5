"""What the world says when it is asked for what is not there, and that it leaves nothing behind."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postroad.lab.clients import ClientFailed
from postroad.lab.site import LabFailed
from postroad.lab.world import World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World() as world:
        await world.add_domain("shop.test", ["orders"])
        yield world


async def test_unknown_domains_and_accounts_are_told_with_those_there_are(world: World) -> None:
    with pytest.raises(LabFailed, match=r"nowhere\.test is not in this lab; there are: shop\.test"):
        await world.send("a@nowhere.test", "b@shop.test")
    with pytest.raises(LabFailed, match=r"no account nobody@shop\.test; there are: orders@shop"):
        await world.inbox("nobody@shop.test")
    with pytest.raises(LabFailed, match="in this lab already"):
        await world.add_domain("Shop.TEST")
    with pytest.raises(LabFailed, match="no site of this lab has a message"):
        await world.journey("0000000000000")


async def test_a_site_in_this_process_cannot_be_killed(world: World) -> None:
    with pytest.raises(LabFailed, match="own_process=True"):
        await world.sites["shop.test"].crash()


async def test_a_stopped_site_says_so(world: World) -> None:
    site = world.sites["shop.test"]
    await site.stop()

    assert not site.running
    with pytest.raises(LabFailed, match="is stopped"):
        _ = site.office
    with pytest.raises(ClientFailed, match="connection refused"):
        await world.send("orders@shop.test", "x@shop.test")


async def test_refusals_are_quoted(world: World) -> None:
    with pytest.raises(ClientFailed, match=r"RCPT TO:<nobody@shop\.test> with 550 5\.1\.1"):
        await world.send("orders@shop.test", "nobody@shop.test")


async def test_waiting_in_vain_tells_where_the_mail_is(world: World) -> None:
    await world.send("orders@shop.test", "orders@shop.test")

    with pytest.raises(LabFailed, match="0 of 1 messages") as caught:
        await world.wait_for(
            "orders@shop.test", matching=lambda data: b"no such" in data, timeout_seconds=0.2
        )
    assert "deposited" in str(caught.value)


async def test_records_for_clients_and_hosts(world: World) -> None:
    site = world.sites["shop.test"]
    zones = world.dns.zones

    assert zones.records("shop.test", "MX") == ["10 mx1.shop.test."]
    assert zones.records("mx1.shop.test", "A") == [site.address]
    assert zones.records("_submission._tcp.shop.test", "SRV") == [
        f"0 1 {site.submission[1]} mx1.shop.test."
    ]
    reverse = ".".join(reversed(site.address.split("."))) + ".in-addr.arpa"
    assert zones.records(reverse, "PTR") == ["mx1.shop.test."]


async def test_temporary_files_go_and_kept_ones_stay(tmp_path: Path) -> None:
    async with World() as world:
        await world.add_domain("shop.test", ["orders"])
        temporary = world.directory
        home = world.sites["shop.test"].data_dir
        await world.remove_domain("shop.test")
        assert not home.exists()
    assert not temporary.exists()

    for _ in range(2):  # the second lab in the same place begins empty
        async with World(directory=tmp_path) as world:
            await world.add_domain("shop.test", ["orders"])
            assert await world.inbox("orders@shop.test") == []
    assert (tmp_path / "mx1.shop.test" / "data").is_dir()
    assert (tmp_path / "mx1.shop.test-2" / "data").is_dir()


async def test_a_failure_within_leaves_nothing_behind() -> None:
    directories = []

    async def fail() -> None:
        async with World() as world:
            directories.append(world.directory)
            await world.add_domain("shop.test", ["orders"])
            raise RuntimeError("my own")

    with pytest.raises(RuntimeError, match="my own"):
        await fail()
    assert not directories[0].exists()
