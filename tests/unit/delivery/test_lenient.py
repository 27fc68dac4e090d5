"""REQUIRETLS and TLS-Required: No: what senders ask of the link (RFC 8689)."""

import hashlib

import pytest

from postroad.model import (
    Delivered,
    LinkPolicy,
    PermanentFailure,
    StsMode,
    TemporaryFailure,
    TlsFailure,
)
from postroad.ports import Attempt
from tests.unit.delivery.test_demand import (
    GOOD,
    HOST,
    ROOT,
    WRONG,
    counted,
    dane_world,
    sts_world,
    tls_server,
)
from tests.unit.delivery.world import TWO_MX, FakeServer, World, run, words
from tests.unit.trust.dane.chains import NOW, certificate

NO = b"Subject: x\r\nTLS-required: no\r\n\r\nbody\r\n"


OTHER_HOST = "mx2.receiver.test"


def two_hosts(offer: str) -> tuple[World, FakeServer, FakeServer]:
    """A domain whose hosts both prove who they are; the second one offers more."""
    first, second = tls_server(), tls_server(f"STARTTLS PIPELINING {offer}")
    other = certificate(OTHER_HOST, ROOT, names=(OTHER_HOST,), begins=NOW - 10**8, days=10**4)
    second.chain = (other.der, ROOT.der)
    table = {
        **TWO_MX,
        f"_25._tcp.{HOST} TLSA": [GOOD],
        f"_25._tcp.{OTHER_HOST} TLSA": [f"3 1 1 {hashlib.sha256(other.spki).hexdigest()}"],
    }
    world = World({"127.0.0.3": first, "127.0.0.4": second}, dns=table)
    world.resolver.secure.add("receiver.test")
    return world, first, second


def one(
    world: World, *, requiretls: bool = False, content: bytes = b"Subject: x\r\n\r\nx\r\n"
) -> Attempt:
    (attempt,) = run(world.send(world.job(requiretls=requiretls, content=content)))
    return attempt


class TestRequireTls:
    def test_over_dane(self) -> None:
        server = tls_server("STARTTLS PIPELINING REQUIRETLS")
        attempt = one(dane_world(GOOD, server=server), requiretls=True)
        assert isinstance(attempt.outcomes[0][1], Delivered)
        assert "MAIL FROM:<a@sender.test> REQUIRETLS" in server.commands

    @pytest.mark.parametrize("mode", [StsMode.ENFORCE, StsMode.TESTING])
    def test_over_mta_sts(self, mode: StsMode) -> None:
        server = tls_server("STARTTLS PIPELINING REQUIRETLS")
        attempt = one(sts_world(mode, server=server), requiretls=True)
        assert isinstance(attempt.outcomes[0][1], Delivered)

    def test_a_server_that_does_not_promise(self) -> None:
        attempt = one(dane_world(GOOD), requiretls=True)
        outcome = attempt.outcomes[0][1]
        assert isinstance(outcome, PermanentFailure)
        assert (outcome.reply.code, outcome.reply.enhanced) == (550, "5.7.30")
        assert "REQUIRETLS" in outcome.reply.text

    @pytest.mark.parametrize("offer", ["STARTTLS REQUIRETLS", "REQUIRETLS"])
    def test_a_server_that_has_not_proved_who_it_is(self, offer: str) -> None:
        server = tls_server(offer)
        outcome = one(World(server), requiretls=True).outcomes[0][1]
        assert outcome.reply.enhanced == "5.7.30"
        assert not [line for line in server.commands if line.startswith("MAIL")]

    def test_others_on_the_same_connection_do_not_mind(self) -> None:
        world = World(tls_server())
        jobs = [world.job(), world.job(requiretls=True), world.job()]
        attempts = run(world.send(*jobs))
        kinds = [type(attempt.outcomes[0][1]) for attempt in attempts]
        assert kinds == [Delivered, PermanentFailure, Delivered]

    def test_the_next_host_is_asked_where_the_first_does_not_promise(self) -> None:
        for jobs in (1, 3):
            world, first, second = two_hosts("REQUIRETLS")
            attempts = run(world.send(*(world.job(requiretls=True) for _ in range(jobs))))
            for attempt in attempts:
                assert isinstance(attempt.outcomes[0][1], Delivered), words(attempt)
                assert attempt.taken is not None
                assert attempt.taken.host == OTHER_HOST
            assert not first.messages
            assert len(second.messages) == jobs
            told = words(attempts[0])
            assert "not sent there: the sender requires TLS all the way (REQUIRETLS); " in told
            assert told.count(f"MX of receiver.test: 10 {HOST}") == 1, "looked up once"
            times = [step.seconds for step in attempts[0].steps]
            assert times == sorted(times)

    def test_what_asks_for_less_goes_to_the_first_host(self) -> None:
        world, first, second = two_hosts("REQUIRETLS")
        jobs = [world.job(), world.job(requiretls=True), world.job()]
        attempts = run(world.send(*jobs))
        assert all(isinstance(attempt.outcomes[0][1], Delivered) for attempt in attempts)
        assert (len(first.messages), len(second.messages)) == (2, 1)

    def test_no_host_promises(self) -> None:
        world, first, second = two_hosts("")
        attempt = one(world, requiretls=True)
        outcome = attempt.outcomes[0][1]
        assert isinstance(outcome, PermanentFailure)
        assert outcome.reply.enhanced == "5.7.30"
        assert f"{OTHER_HOST} (127.0.0.4) does not offer it" in words(attempt)
        assert not [
            line for server in (first, second) for line in server.commands if "MAIL" in line
        ]

    def test_a_host_that_does_not_answer_may_promise_later(self) -> None:
        world, first, _ = two_hosts("")
        world.network.servers["127.0.0.4"] = "connection refused"
        outcome = one(world, requiretls=True).outcomes[0][1]
        assert isinstance(outcome, TemporaryFailure)
        assert not [line for line in first.commands if "MAIL" in line]

    def test_it_is_not_said_for_mail_that_does_not_ask(self) -> None:
        server = tls_server("STARTTLS PIPELINING REQUIRETLS")
        one(dane_world(GOOD, server=server))
        assert "REQUIRETLS" not in str([line for line in server.commands if "MAIL" in line])


class TestTlsRequiredNo:
    def test_it_goes_where_dane_would_not(self) -> None:
        attempt = one(dane_world(WRONG), content=NO)
        assert isinstance(attempt.outcomes[0][1], Delivered)
        assert attempt.taken is not None
        assert attempt.taken.policy is LinkPolicy.OPPORTUNISTIC

    def test_it_goes_where_mta_sts_would_not(self) -> None:
        server = tls_server()
        server.invalid = TlsFailure.EXPIRED
        attempt = one(sts_world(StsMode.ENFORCE, "mx9.x", server=server), content=NO)
        assert isinstance(attempt.outcomes[0][1], Delivered)

    def test_it_goes_in_clear_if_it_must(self) -> None:
        attempt = one(dane_world(GOOD, server=FakeServer("")), content=NO)
        assert isinstance(attempt.outcomes[0][1], Delivered)

    def test_all_other_mail_stays(self) -> None:
        world = dane_world(WRONG)
        attempts = run(world.send(world.job(), world.job(content=NO), world.job()))
        kinds = [type(attempt.outcomes[0][1]) for attempt in attempts]
        assert kinds == [TemporaryFailure, Delivered, TemporaryFailure]
        assert "does not fit the TLSA records" in words(attempts[0])
        results = [result.failure for attempt in attempts for result in counted(attempt)]
        assert results.count(TlsFailure.VALIDATION) == 1, "the link failed once"

    @pytest.mark.parametrize(
        "content",
        [
            b"Subject: x\r\n\r\nTLS-Required: No\r\n",
            b"TLS-Required: yes\r\n\r\n",
            b"X-TLS-Required: No\r\n\r\n",
            b"Subject: TLS-Required: No\r\n\r\n",
        ],
    )
    def test_what_does_not_say_so(self, content: bytes) -> None:
        assert isinstance(one(dane_world(WRONG), content=content).outcomes[0][1], TemporaryFailure)

    def test_requiretls_weighs_more(self) -> None:
        attempt = one(dane_world(WRONG), content=NO, requiretls=True)
        assert isinstance(attempt.outcomes[0][1], TemporaryFailure)

    def test_a_content_that_cannot_be_read_is_held_to_the_rule(self) -> None:
        world = dane_world(WRONG)
        world.content.fail_after = 0
        assert isinstance(one(world, content=NO).outcomes[0][1], TemporaryFailure)

    def test_a_host_that_is_gone_meanwhile(self) -> None:
        world = dane_world(WRONG)
        route = run(world.deliverer.route("receiver.test"))
        session = run(world.deliverer.connect(route))
        world.network.servers.clear()
        (attempt,) = run(session.attempt([world.job(content=NO)]))
        assert "connection refused" in attempt.outcomes[0][1].reply.text
        assert not session.usable
