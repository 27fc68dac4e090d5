"""What processes say of themselves, and who reads it."""

import asyncio
import time
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from postroad.lab.faults import Behaviour, FaultyServer, Script
from postroad.model import Reply
from postroad.runtime.compose import System
from postroad.runtime.metrics.live import STALE_SECONDS, read
from postroad.runtime.metrics.top import overview
from tests.unit.runtime.test_outbound import DNS, ShiftedClock, config, hosts, states, submit


async def get(port: int, path: str = "/metrics") -> tuple[str, str]:
    def ask() -> tuple[str, str]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.headers["content-type"], answer.read().decode()

    return await asyncio.to_thread(ask)


async def test_a_server_tells_what_it_did(tmp_path: Path) -> None:
    async with hosts(Script()) as (host,):
        settings = config(
            tmp_path,
            host.port,
            listen={"metrics": ["127.0.0.1:0"]},
            streams={"news": {"senders": ["jo@here.test"]}},
        )
        async with System.open(settings, resolver=DNS) as system:
            await system.start()
            ((_, port),) = system.listening["metrics"]
            await submit(system, count=3)
            await submit(system, "a@nowhere.test")
            await states(system, ["delivered"] * 3 + ["bounced"] + ["bounced"])
            kind, text = await get(port)
            for path in ("/", "/metrics/x"):
                with pytest.raises(HTTPError, match="404"):
                    await get(port, path)
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    list(text_string_to_metric_families(text))
    for line in (
        'postroad_messages_accepted_total{stream="news"} 4',
        'postroad_delivery_outcomes_total{stream="news",provider="there.test",outcome="delivered"} 3',
        'postroad_delivery_links_total{tls="clear"}',
        "postroad_delivery_seconds_count 3",
        'postroad_server_connections_admitted_total{service="metrics"} 1',
        'postroad_queue_deliveries{state="due"} 0',
        "postroad_build_info{version=",
    ):
        assert line in text
    commits = next(
        line for line in text.splitlines() if line.startswith("postroad_store_commit_groups_count")
    )
    assert float(commits.split()[1]) >= 4


async def test_processes_that_share_a_store_are_added_up(tmp_path: Path) -> None:
    async with hosts(Script()) as (host,):
        settings = config(tmp_path, host.port, listen={"metrics": ["127.0.0.1:0"]})
        async with System.open(settings, resolver=DNS) as system:
            await system.start()
            ((_, port),) = system.listening["metrics"]
            async with System.open(config(tmp_path, host.port), resolver=DNS, worker=1) as other:
                await other.start()
                await submit(other, count=2)
                await states(other, ["delivered"] * 2)
                other.metrics.live.leave()
                _, text = await get(port)
                assert 'postroad_messages_accepted_total{stream="default"} 2' in text
                assert 'postroad_process_start_time_seconds{worker="1"}' in text
                assert 'postroad_queue_deliveries{state="due"} 0' in text, "told once"
            _, text = await get(port)
            assert 'messages_accepted_total{stream="default"}' not in text, (
                "it ended, and took its file along"
            )
    assert read(tmp_path / "data", time.time()) == []


async def test_a_file_that_is_old_or_broken_says_nothing(tmp_path: Path) -> None:
    async with hosts(Script()) as (host,):
        clock = ShiftedClock()
        async with System.open(config(tmp_path, host.port), resolver=DNS, clock=clock) as system:
            system.metrics.live.leave()
            now = clock.now()
            assert [each.worker for each in read(tmp_path / "data", now)] == [0]
            assert read(tmp_path / "data", now + STALE_SECONDS + 1) == []
            (tmp_path / "data/live/0.json").write_text("{}")
            assert read(tmp_path / "data", now) == []


async def test_a_directory_that_cannot_be_written_costs_only_the_view(tmp_path: Path) -> None:
    async with hosts(Script()) as (host,):
        async with System.open(config(tmp_path, host.port), resolver=DNS) as system:
            (tmp_path / "data/live").write_text("in the way")
            await system.start()
            await submit(system)
            await states(system, ["delivered"])


async def test_a_look_shows_what_fails_and_why(tmp_path: Path) -> None:
    reply = Reply(421, "4.7.0", "too fast")
    script = Script(behaviour=Behaviour.TEMPFAIL, reply=reply)
    async with hosts(script) as (host,):
        async with System.open(config(tmp_path, host.port), resolver=DNS) as system:
            await system.start()
            await submit(system)
            await deferred(host)
            system.metrics.live.leave()
            found = await overview(system.office)
    assert found.processes == 1
    assert found.failures[0].what == "deferred"
    assert found.failures[0].reply == "421 4.7.0 mx.there.test too fast"
    (row,) = [each for each in found.destinations if each.provider == "there.test"]
    assert "421 4.7.0 mx.there.test too fast" in row.trouble


async def deferred(host: FaultyServer) -> None:
    for _ in range(200):
        if host.sessions:
            break
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)
