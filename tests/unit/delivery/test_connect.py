"""The search for a host that takes us, and the way to where MAIL may be said."""

from typing import Any

import pytest

from postroad.delivery import RelayHost
from postroad.model import Delivered, RouteKind, TlsPolicy
from postroad.ports import Attempt, RouteFailed
from tests.unit.delivery.world import (
    CLOSE,
    HANG,
    ONE_MX,
    TWO_MX,
    FakeServer,
    Table,
    World,
    run,
    words,
)


def deliver(world: World) -> Attempt:
    (attempt,) = run(world.send(world.job()))
    assert isinstance(attempt.outcomes[0][1], Delivered)
    return attempt


def fail(world: World) -> RouteFailed:
    with pytest.raises(RouteFailed) as failed:
        run(world.send(world.job()))
    assert all(stream.closed for stream in world.network.streams)
    return failed.value


def two(first: FakeServer | str, second: FakeServer | str | None = None, **settings: Any) -> World:
    servers: dict[str, FakeServer | str] = {"127.0.0.3": first, "127.0.0.4": second or FakeServer()}
    return World(servers, dns=TWO_MX, **settings)


@pytest.mark.parametrize(
    ("first", "step"),
    [
        ("connection refused", "connect: 127.0.0.3:25: connection refused"),
        ("timed out", "connect: 127.0.0.3:25: timed out"),
        (FakeServer(CONNECT="421 busy"), "greeting: 127.0.0.3:25 greeted with 421 busy"),
        (FakeServer(CONNECT="554 no"), "greeting: 127.0.0.3:25 greeted with 554 no"),
        (FakeServer(CONNECT=CLOSE), "greeting: 127.0.0.3:25: connection lost (the server closed"),
        (
            FakeServer(CONNECT=HANG),
            "greeting: 127.0.0.3:25: connection lost (timed out after 300 s",
        ),
        (FakeServer(CONNECT="HTTP/1.1 400 Bad Request"), "greeting: 127.0.0.3:25: connection lost"),
        (FakeServer(CONNECT="220 " + "x" * 99_999), "greeting: 127.0.0.3:25: connection lost"),
        (FakeServer(EHLO="421 bye"), "hello: 127.0.0.3:25 answered EHLO with 421 bye"),
        (FakeServer(EHLO="554 no", HELO="554 no"), "hello: 127.0.0.3:25 answered EHLO with 554 no"),
        (FakeServer(EHLO=CLOSE), "hello: 127.0.0.3:25: connection lost"),
    ],
)
def test_the_next_host_is_tried(first: FakeServer | str, step: str) -> None:
    attempt = deliver(two(first))
    assert attempt.taken is not None
    assert attempt.taken.host == "mx2.receiver.test"
    assert step in words(attempt)


def test_the_next_address_is_tried() -> None:
    dns: Table = {
        "receiver.test MX": ["10 mx.receiver.test"],
        "mx.receiver.test A": ["127.0.0.3", "127.0.0.4"],
    }
    attempt = deliver(World({"127.0.0.4": FakeServer()}, dns=dns))
    assert attempt.taken is not None
    assert attempt.taken.address == "127.0.0.4"


def test_helo_serves_where_ehlo_is_unknown() -> None:
    server = FakeServer(EHLO="502 unknown")
    deliver(World(server))
    assert "HELO sender.test" in server.commands


def test_nobody_answers() -> None:
    failure = fail(two("connection refused", "timed out"))
    assert (failure.reply.code, failure.reply.enhanced) == (451, "4.4.1")
    assert [step.what for step in failure.steps] == ["lookup", "connect", "connect"]
    assert failure.taken is not None
    assert failure.taken.address == "127.0.0.4"


def test_all_say_no_for_good() -> None:
    failure = fail(
        two(FakeServer(CONNECT="554 no service"), FakeServer(CONNECT="554 no mail here"))
    )
    assert failure.reply.code == 554
    assert "no mail here" in failure.reply.text


def test_one_that_may_recover_is_hope() -> None:
    assert fail(two("connection refused", FakeServer(CONNECT="554 no"))).reply.code == 451


def test_the_search_ends_in_time() -> None:
    dns: Table = {
        "receiver.test MX": ["10 mx.receiver.test"],
        "mx.receiver.test A": [f"127.0.0.{n}" for n in range(10, 15)],
    }
    world = World({f"127.0.0.{n}": FakeServer(CONNECT=HANG) for n in range(10, 15)}, dns=dns)
    before = world.clock.at
    failure = fail(world)
    assert world.clock.at - before <= 601
    assert "no time left" in failure.steps[-1].text


# TLS


def test_starttls_is_used_where_offered() -> None:
    server = FakeServer("PIPELINING STARTTLS")
    attempt = deliver(World(server))
    assert attempt.taken is not None
    assert attempt.taken.tls == "TLSv1.3 TLS_AES_256_GCM_SHA384"
    assert "tls: TLSv1.3 TLS_AES_256_GCM_SHA384, certificate not verified" in words(attempt)
    assert [c for c in server.commands if c.startswith(("EHLO", "STARTTLS"))] == [
        "EHLO sender.test",
        "STARTTLS",
        "EHLO sender.test",
    ]


def test_broken_tls_falls_back_to_clear_and_is_remembered() -> None:
    server = FakeServer("PIPELINING STARTTLS")
    server.tls = "TLS handshake failed: no shared cipher"
    world = World(server)
    attempt = deliver(world)
    assert attempt.taken is not None
    assert attempt.taken.tls is None
    assert "tls: 127.0.0.3:25: TLS handshake failed: no shared cipher" in words(attempt)
    assert server.connections == 2
    assert "TLS failed lately" in words(deliver(world))
    assert server.connections == 3
    world.clock.at += 601
    server.tls = None
    taken = deliver(world).taken
    assert taken is not None
    assert taken.tls is not None


@pytest.mark.parametrize("policy", [TlsPolicy.ENCRYPT, TlsPolicy.VERIFY])
@pytest.mark.parametrize(
    ("server", "enhanced"),
    [
        (FakeServer("PIPELINING"), "4.7.4"),
        (FakeServer("PIPELINING STARTTLS", STARTTLS="454 not now"), "4.7.4"),
    ],
)
def test_required_tls_is_never_gone_without(
    policy: TlsPolicy, server: FakeServer, enhanced: str
) -> None:
    server.commands.clear()
    failure = fail(World(server, tls=policy))
    assert (failure.reply.code, failure.reply.enhanced) == (451, enhanced)
    assert not any(command.startswith("MAIL") for command in server.commands)


@pytest.mark.parametrize("policy", [TlsPolicy.ENCRYPT, TlsPolicy.VERIFY])
def test_required_tls_that_breaks_fails(policy: TlsPolicy) -> None:
    server = FakeServer("PIPELINING STARTTLS")
    server.tls = "certificate not valid"
    assert fail(World(server, tls=policy)).reply.enhanced == "4.7.5"
    assert server.connections == 1


def test_refused_starttls_goes_on_in_clear() -> None:
    server = FakeServer("PIPELINING STARTTLS", STARTTLS="454 not now")
    assert "going on in clear" in words(deliver(World(server)))
    assert server.connections == 1


def test_injection_behind_starttls_fails_the_attempt() -> None:
    server = FakeServer("PIPELINING STARTTLS", STARTTLS="220 go\r\n250-mx\r\n250 AUTH PLAIN")
    world = World(server)
    failure = fail(world)
    assert failure.reply.code == 451
    assert server.connections == 1
    assert not any(command.startswith("MAIL") for command in server.commands)


def test_policy_none_does_not_ask() -> None:
    server = FakeServer("PIPELINING STARTTLS")
    deliver(World(server, tls=TlsPolicy.NONE))
    assert "STARTTLS" not in server.commands


# Smarthosts


def smarthost(server: FakeServer, **options: object) -> World:
    relay = RelayHost("127.0.0.3", 587, credentials=("joe", "secret"), **options)  # type: ignore[arg-type]
    return World(server, smarthosts={"*": relay})


def test_login_over_tls() -> None:
    server = FakeServer("PIPELINING STARTTLS AUTH_PLAIN")
    attempt = deliver(smarthost(server))
    assert attempt.taken is not None
    assert (attempt.taken.kind, attempt.taken.port) == (RouteKind.SMARTHOST, 587)
    assert any(command.startswith("AUTH PLAIN") for command in server.commands)
    assert "auth: as joe" in words(attempt)
    assert "secret" not in words(attempt)


def test_no_password_in_clear() -> None:
    server = FakeServer("PIPELINING AUTH_PLAIN")
    assert fail(smarthost(server)).reply.enhanced == "4.7.4"
    assert not any(command.startswith("AUTH") for command in server.commands)
    deliver(smarthost(server, login_without_tls=True))
    assert any(command.startswith("AUTH") for command in server.commands)


def test_no_password_in_clear_after_broken_tls() -> None:
    server = FakeServer("PIPELINING STARTTLS AUTH_PLAIN")
    server.tls = "broken"
    fail(smarthost(server))
    assert not any(command.startswith("AUTH") for command in server.commands)


@pytest.mark.parametrize(
    "server",
    [
        FakeServer("PIPELINING STARTTLS AUTH_PLAIN", AUTH="535 5.7.8 wrong"),
        FakeServer("PIPELINING STARTTLS AUTH_CRAM-MD5"),
        FakeServer("PIPELINING STARTTLS"),
    ],
)
def test_login_that_fails_defers(server: FakeServer) -> None:
    assert fail(smarthost(server)).reply.code == 451


def test_implicit_tls() -> None:
    server = FakeServer("PIPELINING STARTTLS AUTH_PLAIN")
    server.implicit = True
    attempt = deliver(smarthost(server, tls=TlsPolicy.IMPLICIT))
    assert "certificate verified" in words(attempt)
    assert "STARTTLS" not in server.commands


def test_host_without_address_is_told() -> None:
    dns: Table = {**ONE_MX, "receiver.test MX": ["5 gone.receiver.test", "10 mx1.receiver.test"]}
    attempt = deliver(World(FakeServer(), dns=dns))
    assert "connect: gone.receiver.test: no address (NXDOMAIN)" in words(attempt)
