import asyncio

from postroad.model import format_id
from postroad.network import SystemClock, SystemEntropy


def test_ids_rise_and_fit_even_when_the_clock_stands_or_steps_back() -> None:
    at = 1_700_000_000.0
    now = [at]
    entropy = SystemEntropy("node-1", now=lambda: now[0])
    ids = [entropy.id() for _ in range(10_000)]
    now[0] -= 3600
    ids += [entropy.id() for _ in range(10)]
    assert ids == sorted(set(ids))
    assert ids[0] >> 21 == at * 1000
    assert ids[-1] < 2**63
    assert len(format_id(ids[-1])) == 13


def test_nodes_do_not_make_the_same_ids() -> None:
    first = SystemEntropy("node-1", now=lambda: 1e9)
    second = SystemEntropy("node-2", now=lambda: 1e9)
    assert not {first.id() for _ in range(5000)} & {second.id() for _ in range(5000)}


def test_two_lives_of_a_node_start_at_different_counts() -> None:
    assert len({SystemEntropy("node-1", now=lambda: 1e9).id() for _ in range(50)}) > 40


def test_chance() -> None:
    entropy = SystemEntropy()
    assert 0 <= entropy.random() < 1
    items = list(range(100))
    entropy.shuffle(items)
    assert items != list(range(100))
    assert sorted(items) == list(range(100))
    assert len(entropy.token(24)) == 32


def test_clock() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    asyncio.run(clock.sleep(0.01))
    assert clock.monotonic() - before >= 0.01
    assert clock.now() > 1.7e9
