"""The driver of all our servers, with a machine and a transport that only note what is done to them."""

import asyncio
from collections import deque
from collections.abc import Awaitable
from typing import Any, cast

import pytest

from postroad.servers.connection import READ_HIGH_OCTETS, WRITES_IN_A_ROW, Connection
from postroad.servers.registry import Registry


class _Machine:
    """Each octet received is an event. `pieces` go out one by one, and hold events back until then,
    unless answers are `whole`.
    """

    def __init__(self, whole: bool) -> None:
        self.whole = whole
        self.closing = False
        self.unread: deque[int] = deque()
        self.pieces: deque[bytes] = deque()
        self.times_out_at: float | None = None
        self.eof = False

    @property
    def buffered(self) -> int:
        return len(self.unread)

    def receive_data(self, data: bytes, now: float) -> None:
        self.unread.extend(data)

    def receive_eof(self) -> None:
        self.eof = True

    def next_event(self) -> str | None:
        if self.unread and (self.whole or len(self.pieces) < 2):
            return chr(self.unread.popleft())
        return None

    def bytes_to_send(self) -> bytes:
        if not self.whole:
            return self.pieces.popleft() if self.pieces else b""
        data = b"".join(self.pieces)
        self.pieces.clear()
        return data

    def deadline(self) -> float | None:
        return self.times_out_at

    def time_out(self, now: float) -> None:
        self.pieces.append(b"timeout")
        self.closing = True

    def shut_down(self) -> None:
        self.pieces.append(b"bye")
        self.closing = True


class _Transport:
    def __init__(self) -> None:
        self.connection: _Server
        self.written: list[bytes] = []
        self.closed = False
        self.reading = True
        self.pause_after = 0

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.written.append(data)
        if self.pause_after == len(self.written):
            self.connection.pause_writing()

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_extra_info(self, name: str) -> Any:
        return ("192.0.2.1", 4000) if name == "peername" else None


class _Server(Connection[Any]):
    """``a`` is answered at once, ``e`` too but by a coroutine, ``w`` after a wait, ``l`` by many
    pieces, ``x`` by a bug, ``q`` ends.
    """

    handled = ""
    lost_times = 0
    waited_times = 0

    def open(self, now: float, secure: bool) -> _Machine:
        self.gate = self._loop.create_future()
        return _Machine(self.whole_answers)

    def handle(self, event: str) -> Awaitable[None] | None:
        if event == "w":
            return self._wait()
        if event == "e":
            return self._at_once()
        if event == "x":
            raise RuntimeError("a bug")
        self.handled += event
        pieces = 3 * WRITES_IN_A_ROW if event == "l" else 1
        self.machine.pieces.extend(event.encode() for _ in range(pieces))
        self.machine.closing = event == "q"
        return None

    async def _at_once(self) -> None:
        self.machine.pieces.append(b"e")

    async def _wait(self) -> None:
        await self.gate
        self.handled += "w"
        self.machine.pieces.append(b"w")

    def waited(self) -> None:
        self.waited_times += 1

    def lost(self) -> None:
        self.lost_times += 1


class _WholeServer(_Server):
    whole_answers = True


@pytest.fixture(params=[_Server, _WholeServer])
async def server(request: pytest.FixtureRequest) -> _Server:
    return make(request.param)


def make(kind: type[_Server]) -> _Server:
    server = kind(Registry(), asyncio.get_running_loop())
    transport = _Transport()
    transport.connection = server
    server.connection_made(cast(asyncio.BaseTransport, transport))
    return server


def written(server: _Server) -> bytes:
    return b"".join(cast(Any, server.transport).written)


async def test_what_does_not_wait_is_answered_in_the_callback(server: _Server) -> None:
    tasks = asyncio.all_tasks()
    server.data_received(b"a")
    server.data_received(b"aa")
    assert written(server) == b"aaa"
    assert server.handled == "aaa"
    assert asyncio.all_tasks() == tasks
    assert server.waited_times == 0


async def test_nothing_overtakes_what_waits(server: _Server) -> None:
    server.data_received(b"aw")
    server.data_received(b"a")
    await asyncio.sleep(0)
    assert server.handled == "a"
    server.gate.set_result(None)
    await asyncio.sleep(0.001)
    assert server.handled == "awa"
    assert written(server) == b"awa"
    assert server.waited_times == 1


async def test_a_long_answer_goes_out_whole_and_holds_back_what_follows() -> None:
    server = make(_Server)
    server.data_received(b"la")
    assert written(server) == b"l" * WRITES_IN_A_ROW  # then others have a turn
    assert server.handled == "l"
    for _ in range(10):
        await asyncio.sleep(0)
    assert written(server) == b"l" * 3 * WRITES_IN_A_ROW + b"a"
    assert server.waited_times == 1


async def test_events_that_hardly_wait_do_not_lengthen_the_turn() -> None:
    server = make(_Server)
    server.data_received(b"e" * 3 * WRITES_IN_A_ROW)
    assert len(cast(Any, server.transport).written) == WRITES_IN_A_ROW
    for _ in range(10):
        await asyncio.sleep(0)
    assert written(server) == b"e" * 3 * WRITES_IN_A_ROW


async def test_a_client_that_does_not_read_is_waited_for() -> None:
    server = make(_Server)
    transport = cast(Any, server.transport)
    transport.pause_after = 3
    server.data_received(b"laq")
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(transport.written) == 3
    server.resume_writing()
    for _ in range(10):
        await asyncio.sleep(0)
    assert written(server) == b"l" * 3 * WRITES_IN_A_ROW + b"aq"
    assert transport.closed


async def test_too_much_unread_stops_reading_until_it_is_read(server: _Server) -> None:
    transport = cast(Any, server.transport)
    server.data_received(b"w")
    server.data_received(b"n" * (READ_HIGH_OCTETS + 1))
    assert not transport.reading
    server.machine.unread.clear()
    server.gate.set_result(None)
    await asyncio.sleep(0.001)
    assert transport.reading


async def test_the_end_is_told_once_and_not_in_the_midst(server: _Server) -> None:
    server.data_received(b"w")
    server.connection_lost(None)
    assert server.lost_times == 0
    server.gate.set_result(None)
    await asyncio.sleep(0.001)
    assert server.lost_times == 1
    assert written(server) == b""  # nobody is there any more


@pytest.mark.parametrize("script", ["x", "wx"])
async def test_a_bug_is_told_and_ends_the_connection(server: _Server, script: str) -> None:
    server.gate.set_result(None)
    server.data_received(script.encode())
    await asyncio.sleep(0.001)
    assert written(server) == script.encode().replace(b"x", b"timeout")
    assert cast(Any, server.transport).closed
    server.connection_lost(None)
    assert server.lost_times == 1


async def test_closing_waits_for_the_last_word(server: _Server) -> None:
    server.data_received(b"wq")
    server.shut_down()
    assert not cast(Any, server.transport).closed
    server.gate.set_result(None)
    await asyncio.sleep(0.001)
    assert written(server) == b"byewq"
    assert cast(Any, server.transport).closed


async def test_a_silent_client_is_timed_out(server: _Server) -> None:
    server.machine.times_out_at = asyncio.get_running_loop().time() + 0.01
    server.data_received(b"a")
    await asyncio.sleep(0.03)
    assert written(server) == b"atimeout"
    assert cast(Any, server.transport).closed


async def test_silence_behind_an_answer_that_waited_is_timed_out(server: _Server) -> None:
    server.data_received(b"w")
    server.machine.times_out_at = asyncio.get_running_loop().time() + 0.01
    server.gate.set_result(None)
    await asyncio.sleep(0.03)
    assert written(server) == b"wtimeout"
    assert cast(Any, server.transport).closed


async def test_a_timer_that_fires_while_an_answer_is_owed_is_set_again(server: _Server) -> None:
    server.machine.times_out_at = asyncio.get_running_loop().time() + 0.01
    server.data_received(b"a")
    server.machine.times_out_at = None  # an answer is owed: the client is not the one who is late
    server.data_received(b"w")
    await asyncio.sleep(0.03)
    server.machine.times_out_at = asyncio.get_running_loop().time() + 0.01
    server.gate.set_result(None)
    await asyncio.sleep(0.03)
    assert written(server) == b"awtimeout"
    assert cast(Any, server.transport).closed
