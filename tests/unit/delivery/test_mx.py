"""From the DNS to hosts: RFC 5321 §5.1, RFC 7505, and what must never be connected to."""

from typing import Any

import pytest

from postroad.delivery import IpPreference, RelayHost
from postroad.model import Route, RouteKind, TlsPolicy
from postroad.ports import AnswerStatus, RouteFailed
from tests.unit.delivery.world import TWO_MX, World, run

Table = dict[str, list[str] | AnswerStatus]


def route(dns: Table, domain: str = "receiver.test", **settings: Any) -> Route:
    return run(World(dns=dns, **settings).deliverer.route(domain))


def fail(dns: Table, domain: str = "receiver.test", **settings: Any) -> RouteFailed:
    with pytest.raises(RouteFailed) as failed:
        route(dns, domain, **settings)
    return failed.value


def code(failure: RouteFailed) -> tuple[int, str]:
    return failure.reply.code, failure.reply.enhanced


def test_hosts_in_order_of_preference() -> None:
    found = route(TWO_MX)
    assert [(host.preference, host.name) for host in found.hosts] == [
        (10, "mx1.receiver.test"),
        (20, "mx2.receiver.test"),
    ]
    assert found.kind is RouteKind.MX
    assert found.lookups == (
        "MX of receiver.test: 10 mx1.receiver.test (A 127.0.0.3), "
        "20 mx2.receiver.test (A 127.0.0.4); ttl 300 s",
    )


def test_equals_are_shuffled_and_keys_are_not() -> None:
    dns: Table = {f"{name}.test A": ["127.0.0.3"] for name in "abc"}
    dns["receiver.test MX"] = ["10 a.test", "10 b.test", "5 c.test"]
    dns["other.test MX"] = ["10 b.test", "5 c.test", "10 a.test"]
    first, second = route(dns), route(dns, "other.test")
    assert [host.name for host in first.hosts] == ["c.test", "b.test", "a.test"]
    assert [host.name for host in second.hosts] == ["c.test", "a.test", "b.test"]
    assert first.key == second.key
    dns["scaled.test MX"] = ["0 c.test", "7 a.test", "7 b.test"]
    assert route(dns, "scaled.test").key == first.key, "how a domain counts is its own affair"
    dns["turned.test MX"] = ["10 c.test", "5 a.test", "5 b.test"]
    assert route(dns, "turned.test").key != first.key
    assert first.key != route(dns, tls=TlsPolicy.VERIFY).key
    assert first.key != route(dns, source_ipv4="127.0.0.9").key
    assert first.key != route(dns, port=2525).key


@pytest.mark.parametrize(
    ("preference", "addresses"),
    [
        (IpPreference.IPV4_FIRST, ("192.0.0.9", "2606:4700::1")),
        (IpPreference.IPV6_FIRST, ("2606:4700::1", "192.0.0.9")),
        (IpPreference.IPV4_ONLY, ("192.0.0.9",)),
        (IpPreference.IPV6_ONLY, ("2606:4700::1",)),
    ],
)
def test_address_families(preference: IpPreference, addresses: tuple[str, ...]) -> None:
    dns: Table = {
        "receiver.test MX": ["10 mx.test"],
        "mx.test A": ["192.0.0.9"],
        "mx.test AAAA": ["2606:4700::1"],
    }
    found = route(dns, ip_preference=preference, allow_private=False)
    assert found.hosts[0].addresses == addresses


def test_without_mx_the_domain_is_the_host() -> None:
    found = route({"receiver.test A": ["127.0.0.3"]})
    assert [(host.name, host.preference) for host in found.hosts] == [("receiver.test", 0)]
    assert found.lookups == (
        "MX of receiver.test: none; ttl 60 s",
        "addresses of receiver.test (A 127.0.0.3); ttl 60 s",
    )


@pytest.mark.parametrize(
    ("dns", "expected"),
    [
        ({}, (550, "5.1.2")),
        ({"receiver.test MX": AnswerStatus.FAILED}, (451, "4.4.3")),
        ({"receiver.test MX": ["0 ."]}, (556, "5.1.10")),
        ({"receiver.test TXT": ["x"]}, (550, "5.4.4")),
        ({"receiver.test MX": ["10 mx.test"]}, (550, "5.4.4")),
        ({"receiver.test MX": ["10 mx.test"], "mx.test A": AnswerStatus.FAILED}, (451, "4.4.4")),
        ({"receiver.test A": AnswerStatus.FAILED}, (451, "4.4.4")),
        ({"receiver.test MX": ["10 127.0.0.3"]}, (550, "5.4.4")),
    ],
)
def test_no_way(dns: Table, expected: tuple[int, str]) -> None:
    failure = fail(dns)
    assert code(failure) == expected
    assert failure.steps
    assert {step.what for step in failure.steps} == {"lookup"}


def test_one_host_that_cannot_be_looked_up_does_not_stop_the_others() -> None:
    dns: Table = {**TWO_MX, "mx1.receiver.test A": AnswerStatus.FAILED}
    hosts = route(dns).hosts
    assert hosts[0].problem == "address look-up failed (SERVFAIL)"
    assert hosts[1].addresses == ("127.0.0.4",)


def test_a_null_mx_among_others_is_passed_over() -> None:
    assert len(route({**TWO_MX, "receiver.test MX": ["0 .", "10 mx1.receiver.test"]}).hosts) == 1


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1", "loopback address 127.0.0.1 refused"),
        ("10.1.2.3", "private address 10.1.2.3 refused"),
        ("192.168.1.1", "private address"),
        ("100.64.0.1", "private address"),
        ("169.254.169.254", "link-local address"),
        ("224.0.0.1", "not one host's"),
        ("0.0.0.0", "not one host's"),
        ("255.255.255.255", "not one host's"),
        ("::1", "loopback address"),
        ("fe80::1", "link-local address"),
        ("fd00::1", "private address"),
        ("ff02::1", "not one host's"),
        ("::", "not one host's"),
        ("::ffff:127.0.0.1", "loopback address"),
        ("2002:7f00:1::1", "loopback address"),
        ("64:ff9b::7f00:1", "loopback address"),
        ("64:ff9b:1::7f00:1", "loopback address"),
        ("::ffff:0:7f00:1", "loopback address"),
        ("::7f00:1", "loopback address"),
    ],
)
def test_addresses_never_to_be_connected_to(address: str, words: str) -> None:
    rdtype = "AAAA" if ":" in address else "A"
    dns: Table = {"receiver.test MX": ["10 mx.test"], f"mx.test {rdtype}": [address]}
    failure = fail(dns, allow_private=False)
    assert code(failure) == (550, "5.4.4")
    assert words in failure.reply.text
    literal = f"[ipv6:{address}]" if ":" in address else f"[{address}]"
    assert code(fail({}, literal, allow_private=False)) == (550, "5.4.4")


@pytest.mark.parametrize("address", ["0.0.0.0", "224.0.0.1", "255.255.255.255"])
def test_what_is_no_host_is_refused_in_the_lab_too(address: str) -> None:
    dns: Table = {"receiver.test MX": ["10 mx.test"], "mx.test A": [address]}
    assert code(fail(dns)) == (550, "5.4.4")


def test_private_address_beside_a_public_one_is_left_out() -> None:
    dns: Table = {"receiver.test MX": ["10 mx.test"], "mx.test A": ["10.0.0.1", "192.0.0.9"]}
    assert route(dns, allow_private=False).hosts[0].addresses == ("192.0.0.9",)


@pytest.mark.parametrize(
    "us",
    [
        {"own_names": frozenset({"mx2.receiver.test"})},
        {"own_endpoints": frozenset({("127.0.0.4", 25)})},
    ],
)
def test_where_we_are_an_mx_only_better_ones_are_used(us: dict[str, Any]) -> None:
    dns: Table = {
        **TWO_MX,
        "receiver.test MX": [
            "10 mx1.receiver.test",
            "20 mx2.receiver.test",
            "20 a.test",
            "30 b.test",
        ],
        "a.test A": ["127.0.0.5"],
        "b.test A": ["127.0.0.6"],
    }
    found = route(dns, **us)
    assert [host.name for host in found.hosts] == ["mx1.receiver.test"]
    assert "this server is an MX of receiver.test at preference 20" in found.lookups[1]


def test_other_port_of_our_address_is_not_us() -> None:
    us = frozenset({("127.0.0.3", 2525)})
    assert len(route(TWO_MX, own_endpoints=us).hosts) == 2


@pytest.mark.parametrize(
    "us",
    [
        {"own_names": frozenset({"mx1.receiver.test"})},
        {"own_endpoints": frozenset({("127.0.0.3", 25)})},
    ],
)
def test_loop(us: dict[str, Any]) -> None:
    assert code(fail(TWO_MX, **us)) == (554, "5.4.6")


def test_loop_without_mx() -> None:
    us = frozenset({("127.0.0.3", 25)})
    failure = fail({"receiver.test A": ["127.0.0.3"]}, own_endpoints=us)
    assert code(failure) == (554, "5.4.6")


def test_literal() -> None:
    found = route({}, "[127.0.0.3]")
    assert found.hosts[0].addresses == ("127.0.0.3",)
    assert route({}, "[ipv6:::1]").hosts[0].addresses == ("::1",)
    us = frozenset({("127.0.0.3", 25)})
    assert code(fail({}, "[127.0.0.3]", own_endpoints=us)) == (554, "5.4.6")


def test_a_thousand_hosts_are_bounded() -> None:
    dns: Table = {f"mx{n}.test A": [f"127.0.{n // 250}.{n % 250 + 1}"] for n in range(1000)}
    dns["receiver.test MX"] = [f"{n} mx{n}.test" for n in range(1000)]
    dns["mx0.test A"] = [f"127.1.0.{n}" for n in range(1, 200)]
    world = World(dns=dns)
    found = run(world.deliverer.route("receiver.test"))
    assert len(found.hosts) == 10
    assert len(found.hosts[0].addresses) == 5
    assert len(world.resolver.asked) == 22, "MX, both kinds of addresses, MTA-STS"
    assert all(len(line) <= 500 for line in found.lookups)


# Routes that an operator set


def test_smarthost_and_lmtp_by_domain() -> None:
    dns: Table = {"relay.test A": ["10.0.0.1"], **TWO_MX}
    relays: dict[str, Any] = {
        "smarthosts": {"*": RelayHost("relay.test", 587, TlsPolicy.VERIFY, ("joe", "secret"))},
        "lmtp": {"box.test": RelayHost("127.0.0.1", 24, TlsPolicy.NONE)},
        "allow_private": False,
    }
    found = route(dns, **relays)
    assert (found.kind, found.port, found.tls) == (RouteKind.SMARTHOST, 587, TlsPolicy.VERIFY)
    assert found.hosts[0].addresses == ("10.0.0.1",)
    assert found.credentials == ("joe", "secret")
    assert "secret" not in found.key
    assert found.lookups[0] == (
        "route of receiver.test: smarthost relay.test:587 (from the settings)"
    )
    box = route(dns, "box.test", **relays)
    assert (box.kind, box.hosts[0].addresses, box.port) == (RouteKind.LMTP, ("127.0.0.1",), 24)


def test_localhost_needs_no_dns() -> None:
    found = route({}, lmtp={"*": RelayHost("localhost", 24)})
    assert found.hosts[0].addresses == ("127.0.0.1", "::1")


def test_a_smarthost_that_cannot_be_found_defers() -> None:
    assert code(fail({}, smarthosts={"*": RelayHost("gone.test")})) == (451, "4.4.4")


# Keeping routes


def test_routes_are_kept_for_a_minute_at_most() -> None:
    world = World(dns=TWO_MX)
    first = run(world.deliverer.route("receiver.test"))
    asked = len(world.resolver.asked)
    assert run(world.deliverer.route("receiver.test")) is first
    assert len(world.resolver.asked) == asked
    world.clock.at += 61
    run(world.deliverer.route("receiver.test"))
    assert len(world.resolver.asked) > asked


def test_a_clock_that_steps_back_makes_no_route_immortal() -> None:
    world = World(dns=TWO_MX)
    first = run(world.deliverer.route("receiver.test"))
    world.clock.at -= 100_000
    assert run(world.deliverer.route("receiver.test")) is not first
