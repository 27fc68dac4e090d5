"""Moments of one process and of several: the same answers, bounded, and no count is lost."""

import fcntl
import os
import random
from collections.abc import Callable, Iterator

import pytest

from postroad.ports import Moments
from postroad.storage.moments import LocalMoments, SharedMoments


@pytest.fixture(params=["local", "shared"])
def moments(request: pytest.FixtureRequest) -> Iterator[Moments]:
    if request.param == "local":
        yield LocalMoments()
        return
    shared = SharedMoments(buckets=64)
    yield shared
    shared.close()


@pytest.fixture
def shared() -> Iterator[SharedMoments]:
    made = SharedMoments(buckets=64)
    yield made
    made.close()


def plus(amount: float) -> Callable[[float | None], float | None]:
    return lambda before: (before or 0.0) + amount


def kept(moments: Moments, space: str, key: str) -> float | None:
    found: list[float | None] = []

    def look(before: float | None) -> float | None:
        found.append(before)
        return before

    moments.change(space, key, look)
    return found[0]


def test_what_is_kept(moments: Moments) -> None:
    assert kept(moments, "a", "x") is None
    moments.change("a", "x", lambda _: 5.25)
    moments.change("b", "x", lambda _: 0.0)
    moments.change("a", "y", lambda _: -1.5)
    assert [kept(moments, *each) for each in ("ax", "bx", "ay")] == [5.25, 0.0, -1.5]
    moments.change("a", "x", lambda _: None)
    assert [kept(moments, *each) for each in ("ax", "bx", "ay")] == [None, 0.0, -1.5]


def test_they_are_alike(moments: Moments) -> None:
    """Whatever is done to them, as long as there is room: a plain dictionary says the same."""
    model: dict[str, float] = {}
    chance = random.Random(1)
    for _ in range(3000):
        key = str(chance.randrange(40))
        value = chance.choice([None, chance.uniform(-1e9, 1e9)])
        assert kept(moments, "s", key) == model.get(key)
        moments.change("s", key, lambda _, value=value: value)  # type: ignore[misc]
        if value is None:
            model.pop(key, None)
        else:
            model[key] = value
    assert {key: kept(moments, "s", key) for key in model} == model


def test_what_fails_changes_nothing(moments: Moments) -> None:
    moments.change("a", "x", lambda _: 1.0)

    def fail(_: float | None) -> float | None:
        raise RuntimeError("no")

    for key in ("x", "y"):
        with pytest.raises(RuntimeError):
            moments.change("a", key, fail)
    assert (kept(moments, "a", "x"), kept(moments, "a", "y")) == (1.0, None)
    moments.change("a", "x", plus(1))
    assert kept(moments, "a", "x") == 2.0


def test_of_one_process_the_unused_are_forgotten_first() -> None:
    local = LocalMoments(max_keys=3)
    for key in "abc":
        local.change("s", key, lambda _: 1.0)
    local.change("s", "a", plus(1))
    local.change("t", "x", lambda _: 1.0)
    local.change("s", "d", lambda _: 1.0)
    assert [kept(local, "s", key) for key in "acd"] == [2.0, 1.0, 1.0]
    assert kept(local, "t", "x") == 1.0, "each space for itself"


def test_of_several_the_least_are_forgotten_first() -> None:
    """A table for 8 keys holds the 8 that matter longest."""
    shared = SharedMoments(buckets=1)
    for number in range(100):
        shared.change("s", str(number), lambda _, number=number: float(number))  # type: ignore[misc]
    assert [kept(shared, "s", str(number)) for number in range(92, 100)] == [
        float(number) for number in range(92, 100)
    ]
    shared.change("s", "0", lambda _: 1e6)
    assert kept(shared, "s", "92") is None
    shared.close()


def in_child(work: Callable[[], None]) -> int:
    """Fork, work, end; return the process id."""
    process = os.fork()
    if process == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return process


def test_processes_count_together(shared: SharedMoments) -> None:
    def count() -> None:
        for number in range(5000):
            shared.change("s", str(number % 7), plus(1))

    processes = [in_child(count) for _ in range(3)]
    count()
    assert [os.waitpid(each, 0)[1] for each in processes] == [0, 0, 0]
    assert sum(kept(shared, "s", str(number)) or 0 for number in range(7)) == 20_000


def test_a_process_that_dies_in_the_midst_leaves_nothing_locked(shared: SharedMoments) -> None:
    def die() -> None:
        shared.change("s", "x", lambda _: os._exit(3))

    assert os.waitstatus_to_exitcode(os.waitpid(in_child(die), 0)[1]) == 3
    shared.change("s", "x", plus(1))
    assert kept(shared, "s", "x") == 1.0


def test_a_process_that_stands_still_is_not_waited_for(shared: SharedMoments) -> None:
    ready, done = os.pipe(), os.pipe()

    def hold() -> None:
        fcntl.lockf(shared._file, fcntl.LOCK_EX)
        os.write(ready[1], b"x")
        os.read(done[0], 1)

    process = in_child(hold)
    os.read(ready[0], 1)
    shared.change("s", "x", plus(1))
    assert kept(shared, "s", "x") == 1.0
    os.write(done[1], b"x")
    os.waitpid(process, 0)
    for each in (*ready, *done):
        os.close(each)
