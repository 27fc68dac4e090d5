"""The bare loop writes by our statements, so it has to keep up with our schema."""

import asyncio
from pathlib import Path
from typing import Any, cast

import apsw
import pytest

from bench.bare_loop import Job, Relay, Writer


@pytest.mark.parametrize("relays", [False, True])
async def test_what_it_writes_fits_the_schema(
    relays: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("threading.Thread.start", lambda self: None)  # this test is the thread
    relay = Relay() if relays else None
    writer = Writer(tmp_path / "bare.db", asyncio.get_running_loop(), relay)
    jobs = [Job(number, b"Subject: x\r\n\r\nx\r\n", cast(Any, None)) for number in (1, 2)]
    writer._commit(jobs, [])
    writer._commit([], jobs if relays else [])
    database = apsw.Connection(str(tmp_path / "bare.db"))

    def count(what: str) -> object:
        return database.execute(f"SELECT count(*) FROM {what}").get

    assert count("message") == 2
    assert count("delivery WHERE state = 'delivered' AND ended_at IS NOT NULL") == 2
    assert count("content") == count("entry") == (0 if relays else 2)
    assert count("journey") == (4 if relays else 2)
