"""How safe ways are: the least safe of several counts, and what was found is remembered for a while."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest
from msgspec.structs import replace

from postroad.delivery.demand import Demand
from postroad.model import Address, LinkPolicy, Reply, RouteKind, TlsPolicy
from postroad.ports import RouteFailed
from postroad.service.reach import Reach, ReachSettings, Safety, Ways
from postroad.service.recipients import Recipients, Target
from tests.unit.delivery.world import FakeClock

HOST = Demand(policy=LinkPolicy.OPPORTUNISTIC, tls=TlsPolicy.OPPORTUNISTIC)


class Leads:
    """Stands for `Recipients`: every address leads to its own domain, some to several places."""

    async def resolve(self, address: Address) -> tuple[Target, ...] | Reply:
        domains = address.domain.split("-and-")
        return tuple(
            Target(address, address, each, 1 if each == "local" else None) for each in domains
        )


def reach(ways: dict[str, Any], clock: FakeClock, **settings: Any) -> tuple[Reach, list[str]]:
    asked: list[str] = []

    async def of(domain: str) -> tuple[RouteKind, Sequence[Demand]]:
        asked.append(domain)
        found = ways[domain]
        if isinstance(found, Exception):
            raise found
        if isinstance(found, tuple):
            return found
        return RouteKind.MX, [replace(HOST, policy=each) for each in found]

    recipients = cast(Recipients, Leads())
    return Reach(recipients, Ways(of), cast(Any, clock), ReachSettings(**settings)), asked


REFUSED = replace(HOST, policy=LinkPolicy.DANE, refusal=Reply(451, "4.7.5", "no"))


@pytest.mark.parametrize(
    ("found", "safety"),
    [
        ([LinkPolicy.DANE], Safety.DANE),
        ([LinkPolicy.DANE, LinkPolicy.OPPORTUNISTIC], Safety.OPPORTUNISTIC),
        ([LinkPolicy.STS_ENFORCE], Safety.VERIFIED),
        ([LinkPolicy.STS_TESTING], Safety.OPPORTUNISTIC),
        ([LinkPolicy.ENCRYPTED], Safety.ENCRYPTED),
        ([LinkPolicy.NONE], Safety.CLEAR),
        ([], Safety.UNKNOWN),
        ((RouteKind.MX, [REFUSED]), Safety.UNKNOWN),
        ((RouteKind.MX, [REFUSED, replace(HOST, policy=LinkPolicy.DANE)]), Safety.DANE),
        ((RouteKind.LMTP, [replace(HOST, policy=LinkPolicy.NONE)]), Safety.LOCAL),
        (RouteFailed(Reply(556, "5.1.10", "null MX"), ()), Safety.UNREACHABLE),
        (RouteFailed(Reply(451, "4.4.3", "no DNS"), ()), Safety.UNKNOWN),
    ],
)
async def test_what_a_route_tells(found: Any, safety: Safety) -> None:
    made, _ = reach({"d.test": found}, FakeClock())
    (told,) = await made.of(["x@d.test"])
    assert told.safety is safety
    assert told.words.endswith(".")


async def test_of_several_places_the_least_safe_counts() -> None:
    made, _ = reach({"a.test": [LinkPolicy.DANE], "b.test": [LinkPolicy.NONE]}, FakeClock())
    told = await made.of(["x@a.test-and-b.test", "x@local-and-a.test"])
    assert [each.safety for each in told] == [Safety.CLEAR, Safety.DANE]


async def test_what_was_found_is_remembered_and_what_was_not_is_not() -> None:
    clock = FakeClock()
    ways = {"a.test": [LinkPolicy.DANE], "b.test": RouteFailed(Reply(451, "4.4.3", "no"), ())}
    made, asked = reach(ways, clock)
    for _ in range(2):
        await made.of(["x@a.test", "y@b.test"])
    assert asked.count("a.test") == 1
    assert asked.count("b.test") == 2
    clock.at += 301
    await made.of(["x@a.test"])
    assert asked.count("a.test") == 2


async def test_an_answer_comes_in_time() -> None:
    async def of(domain: str) -> tuple[RouteKind, Sequence[Demand]]:
        await asyncio.Event().wait()
        raise AssertionError

    made = Reach(
        cast(Recipients, Leads()),
        Ways(of),
        cast(Any, FakeClock()),
        ReachSettings(total_seconds=0.05),
    )
    (told,) = await made.of(["x@a.test"])
    assert told.safety is Safety.UNKNOWN
