"""Traces of messages, taken by a collector over HTTP."""

import asyncio
import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from postroad.lab.faults import Behaviour, Script
from postroad.model import Dropped
from postroad.runtime.compose import System
from postroad.runtime.config import Config
from postroad.runtime.traces import traces
from postroad.storage.memory import MemoryStore
from tests.contracts.stores import FAR, accept, attempted, commit, result
from tests.unit.runtime.test_outbound import DNS, config, hosts, states, submit


@pytest.fixture
def collector() -> Iterator[tuple[str, list[Any]]]:
    spans: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                data = gzip.decompress(data)
            request = ExportTraceServiceRequest.FromString(data)
            spans.extend(
                span
                for resource in request.resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            )
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1/traces", spans
    server.shutdown()
    thread.join()
    server.server_close()


async def test_a_message_makes_one_trace_with_its_attempts(
    tmp_path: Path, collector: tuple[str, list[Any]]
) -> None:
    endpoint, spans = collector
    async with hosts(Script(behaviour=Behaviour.TEMPFAIL, times=1)) as (host,):
        settings = config(
            tmp_path,
            host.port,
            telemetry={"endpoint": endpoint},
            queue={"retry_first_seconds": 0.2, "poll_seconds": 0.1, "retry_jitter": 0},
        )
        async with System.open(settings, resolver=DNS) as system:
            await system.start()
            await asyncio.sleep(0.1)
            await submit(system)
            await states(system, ["delivered"])
            for _ in range(200):
                if spans:
                    break
                await asyncio.sleep(0.02)
    root, *attempts = spans
    assert (root.name, [each.name for each in attempts]) == ("message", ["attempt", "attempt"])
    assert {each.trace_id for each in spans} == {root.trace_id}
    assert {each.parent_span_id for each in attempts} == {root.span_id}
    assert len({each.span_id for each in spans}) == 3
    assert root.start_time_unix_nano <= attempts[0].start_time_unix_nano
    assert attempts[-1].end_time_unix_nano == root.end_time_unix_nano
    assert [[event.name for event in each.events][-1] for each in attempts] == [
        "deferred",
        "delivered",
    ]
    assert [each.status.code for each in attempts] == [2, 1]


async def test_a_collector_that_is_away_costs_only_the_traces(tmp_path: Path) -> None:
    async with hosts(Script()) as (host,):
        settings = config(
            tmp_path,
            host.port,
            telemetry={"endpoint": "http://127.0.0.1:1/v1/traces", "timeout_seconds": 0.1},
        )
        async with System.open(settings, resolver=DNS) as system:
            await system.start()
            await submit(system, count=2)
            await states(system, ["delivered"] * 2)


async def test_ids_follow_from_the_message() -> None:
    store = MemoryStore()
    message = await accept(store, FAR)
    await commit(store, attempted(message, result()))
    events = await store.journey.events(message.id)
    first, again = traces(events), traces(events)
    assert first == again
    assert len({each.span for each in first}) == 2
    assert traces(events[1:]) == []


async def test_what_was_dropped_ends_then() -> None:
    store = MemoryStore()
    message = await accept(store, FAR)
    await commit(store, Dropped(500.0, "ann", ((message.id, 0),)))
    (root,) = traces(await store.journey.events(message.id))
    assert (root.began, root.ended) == (message.accepted_at, 500.0)


def test_without_the_extra_the_configuration_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("postroad.runtime.config.server._has_otel", lambda: False)
    with pytest.raises(ValueError, match=r"pip install 'postroad\[otel\]'"):
        Config.model_validate(
            {
                "server": {"hostname": "mail.here.test"},
                "telemetry": {"endpoint": "http://127.0.0.1:4318/v1/traces"},
            }
        )
