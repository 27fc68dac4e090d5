"""What a link must fulfil, by settings, DANE and MTA-STS; and what then happens on the wire."""

import hashlib

import pytest

from postroad.delivery import RelayHost
from postroad.model import (
    Delivered,
    LinkPolicy,
    PolicyType,
    StsMode,
    StsPolicy,
    StsPolicyKept,
    TemporaryFailure,
    TlsCounted,
    TlsFailure,
    TlsPolicy,
    TlsResult,
)
from postroad.model import Group as ChangeGroup
from postroad.ports import AnswerStatus, Attempt, RouteFailed
from tests.unit.delivery.world import ONE_MX, TWO_MX, FakeServer, Table, World, run, words
from tests.unit.trust.dane.chains import NOW, certificate

HOST = "mx1.receiver.test"
TLSA = f"_25._tcp.{HOST} TLSA"
STS = "_mta-sts.receiver.test TXT"
ROOT = certificate("root", ca=True, begins=NOW - 10**8, days=10**4)
LEAF = certificate(HOST, ROOT, names=(HOST,), begins=NOW - 10**8, days=10**4)
GOOD = f"3 1 1 {hashlib.sha256(LEAF.spki).hexdigest()}"
WRONG = f"3 1 1 {'0' * 64}"


def tls_server(extensions: str = "STARTTLS PIPELINING") -> FakeServer:
    server = FakeServer(extensions)
    server.chain = (LEAF.der, ROOT.der)
    return server


def dane_world(
    *tlsa: str, server: FakeServer | None = None, dns: Table | None = None, **settings: object
) -> World:
    table: Table = {**(dns or ONE_MX)}
    if tlsa:
        table[TLSA] = list(tlsa)
    world = World(server or tls_server(), dns=table, tls_reports=True, **settings)
    world.resolver.secure.add("receiver.test")
    return world


def sts_world(mode: StsMode, *mx: str, server: FakeServer | None = None) -> World:
    """A world in whose store the policy is kept, with a record that says it is still the same."""
    table: Table = {**ONE_MX, STS: ["v=STSv1; id=1"]}
    world = World(server or tls_server(), dns=table, tls_reports=True)
    now = world.clock.now()
    policy = StsPolicy("receiver.test", "1", mode, mx or (HOST,), 1000, now)
    run(world.store.ledger.commit(ChangeGroup((StsPolicyKept(now, policy),))))
    return world


def deliver(world: World) -> Attempt:
    (attempt,) = run(world.send(world.job()))
    assert isinstance(attempt.outcomes[0][1], Delivered), words(attempt)
    return attempt


def defer(world: World) -> Attempt:
    (attempt,) = run(world.send(world.job()))
    outcome = attempt.outcomes[0][1]
    assert isinstance(outcome, TemporaryFailure), words(attempt)
    assert not world.network.servers["127.0.0.3"].messages  # type: ignore[union-attr]
    assert "MAIL" not in str(world.network.servers["127.0.0.3"].commands)  # type: ignore[union-attr]
    return attempt


def counted(attempt: Attempt) -> list[TlsResult]:
    found = [change for change in attempt.changes if isinstance(change, TlsCounted)]
    return [result for change in found for result in change.results]


def failures(attempt: Attempt) -> list[tuple[PolicyType, TlsFailure | None]]:
    return [(result.kind, result.failure) for result in counted(attempt)]


def link(attempt: Attempt) -> tuple[LinkPolicy | None, str]:
    assert attempt.taken is not None
    return attempt.taken.policy, attempt.taken.verified


class TestDane:
    def test_a_certificate_that_fits(self) -> None:
        server = tls_server()
        attempt = deliver(dane_world(GOOD, server=server))
        policy, verified = link(attempt)
        assert policy is LinkPolicy.DANE
        assert verified.startswith("certificate fits TLSA 3 1 1 ")
        assert server.handshakes == [(TlsPolicy.ENCRYPT, HOST)], "SNI is the TLSA base domain"
        assert "vouched for by DNSSEC" in words(attempt)
        (result,) = counted(attempt)
        assert (result.kind, result.failure) == (PolicyType.TLSA, None)
        assert result.policy == (GOOD,)
        assert (result.domain, result.host) == ("receiver.test", HOST)

    def test_a_certificate_that_does_not(self) -> None:
        attempt = defer(dane_world(WRONG))
        assert attempt.outcomes[0][1].reply.enhanced == "4.7.5"
        assert "does not fit the TLSA records" in words(attempt)
        assert failures(attempt) == [(PolicyType.TLSA, TlsFailure.VALIDATION)]
        assert link(attempt) == (LinkPolicy.DANE, "")

    def test_an_authority(self) -> None:
        record = f"2 1 1 {hashlib.sha256(ROOT.spki).hexdigest()}"
        assert link(deliver(dane_world(record)))[0] is LinkPolicy.DANE

    def test_an_authority_whose_leaf_has_another_name(self) -> None:
        server = tls_server()
        leaf = certificate(
            "other.test", ROOT, names=("other.test",), begins=NOW - 10**8, days=10**4
        )
        server.chain = (leaf.der, ROOT.der)
        record = f"2 1 1 {hashlib.sha256(ROOT.spki).hexdigest()}"
        attempt = defer(dane_world(record, server=server))
        assert failures(attempt) == [(PolicyType.TLSA, TlsFailure.HOST_MISMATCH)]

    def test_an_authority_whose_leaf_has_the_name_of_the_domain(self) -> None:
        server = tls_server()
        leaf = certificate("x", ROOT, names=("receiver.test",), begins=NOW - 10**8, days=10**4)
        server.chain = (leaf.der, ROOT.der)
        record = f"2 1 1 {hashlib.sha256(ROOT.spki).hexdigest()}"
        assert link(deliver(dane_world(record, server=server)))[0] is LinkPolicy.DANE

    def test_starttls_that_was_stripped(self) -> None:
        attempt = defer(dane_world(GOOD, server=FakeServer("PIPELINING")))
        assert "TLS is required by DANE and not offered" in words(attempt)
        assert failures(attempt) == [(PolicyType.TLSA, TlsFailure.STARTTLS_NOT_SUPPORTED)]

    def test_starttls_that_is_refused(self) -> None:
        server = FakeServer("STARTTLS", STARTTLS="454 4.7.0 not now")
        attempt = defer(dane_world(GOOD, server=server))
        assert failures(attempt) == [(PolicyType.TLSA, TlsFailure.STARTTLS_NOT_SUPPORTED)]

    def test_a_handshake_that_fails_is_not_followed_by_clear_text(self) -> None:
        server = tls_server()
        server.tls = "TLS handshake failed: bad record mac"
        world = dane_world(GOOD, server=server)
        defer(world)
        assert server.connections == 1

    def test_a_look_up_that_fails_defers_and_connects_to_nobody(self) -> None:
        world = dane_world()
        world.resolver.table[TLSA] = AnswerStatus.FAILED
        (attempt,) = run(world.send(world.job()))
        outcome = attempt.outcomes[0][1]
        assert isinstance(outcome, TemporaryFailure)
        assert outcome.reply.enhanced == "4.4.3"
        assert "SERVFAIL" in outcome.reply.text
        assert not world.network.tried
        assert failures(attempt) == [(PolicyType.TLSA, TlsFailure.DNSSEC_INVALID)]

    def test_another_host_whose_records_can_be_had_takes_the_mail(self) -> None:
        table: Table = {**TWO_MX, TLSA: AnswerStatus.FAILED}
        first, second = tls_server(), tls_server()
        world = World({"127.0.0.3": first, "127.0.0.4": second}, dns=table)
        world.resolver.secure.add("receiver.test")
        attempt = deliver(world)
        assert not first.connections
        assert second.messages
        assert attempt.taken is not None
        assert attempt.taken.host == "mx2.receiver.test"

    @pytest.mark.parametrize(
        "record", ["0 1 1 " + "0" * 64, "1 1 1 " + "0" * 64, "3 1 1 00", "3 9 1 " + "0" * 64]
    )
    def test_records_none_of_which_is_usable_ask_for_tls_alone(self, record: str) -> None:
        attempt = deliver(dane_world(record))
        assert link(attempt) == (LinkPolicy.ENCRYPTED, "")
        assert "none of these TLSA records is usable" in words(attempt)
        defer(dane_world(record, server=FakeServer("PIPELINING")))

    def test_without_dnssec_nothing_is_asked(self) -> None:
        world = dane_world(WRONG)
        world.resolver.secure.clear()
        assert link(deliver(world))[0] is LinkPolicy.OPPORTUNISTIC
        assert not [question for question in world.resolver.asked if "TLSA" in question]

    def test_records_that_dnssec_does_not_vouch_for_do_not_count(self) -> None:
        """The zones of domain and host are signed; the TLSA name lies in one that is not."""
        world = dane_world(WRONG)
        world.resolver.secure.clear()
        world.resolver.secure |= {"receiver.test"}
        is_secure = world.resolver._is_secure
        world.resolver._is_secure = lambda name: not name.startswith("_") and is_secure(name)  # type: ignore[method-assign]
        attempt = deliver(world)
        assert link(attempt)[0] is LinkPolicy.OPPORTUNISTIC

    def test_it_can_be_turned_off(self) -> None:
        assert link(deliver(dane_world(WRONG, dane=False)))[0] is LinkPolicy.OPPORTUNISTIC

    @pytest.mark.parametrize("policy", [TlsPolicy.NONE, TlsPolicy.VERIFY])
    def test_the_settings_may_say_less_or_more(self, policy: TlsPolicy) -> None:
        expected = {TlsPolicy.NONE: LinkPolicy.NONE, TlsPolicy.VERIFY: LinkPolicy.VERIFIED}
        assert link(deliver(dane_world(WRONG, tls=policy)))[0] is expected[policy]

    def test_routes_with_and_without_dnssec_share_no_connection(self) -> None:
        secure, insecure = dane_world(GOOD), dane_world(GOOD)
        insecure.resolver.secure.clear()
        keys = [run(world.deliverer.route("receiver.test")).key for world in (secure, insecure)]
        assert keys[0] != keys[1]


class TestMtaSts:
    def test_enforce(self) -> None:
        server = tls_server()
        attempt = deliver(sts_world(StsMode.ENFORCE, "*.receiver.test", server=server))
        assert link(attempt) == (LinkPolicy.STS_ENFORCE, f"certificate valid for {HOST}")
        assert server.handshakes == [(TlsPolicy.VERIFY, HOST)]
        assert "MTA-STS policy of receiver.test: enforce, mx *.receiver.test" in words(attempt)
        (result,) = counted(attempt)
        assert (result.kind, result.failure) == (PolicyType.STS, None)
        assert result.policy[1] == "mode: enforce"

    def test_enforce_and_a_certificate_that_does_not_fit(self) -> None:
        server = tls_server()
        server.invalid = TlsFailure.EXPIRED
        attempt = defer(sts_world(StsMode.ENFORCE, server=server))
        assert attempt.outcomes[0][1].reply.enhanced == "4.7.5"
        assert failures(attempt) == [(PolicyType.STS, TlsFailure.EXPIRED)]

    def test_enforce_and_starttls_that_was_stripped(self) -> None:
        attempt = defer(sts_world(StsMode.ENFORCE, server=FakeServer("PIPELINING")))
        assert "TLS is required by MTA-STS and not offered" in words(attempt)
        assert failures(attempt) == [(PolicyType.STS, TlsFailure.STARTTLS_NOT_SUPPORTED)]

    def test_enforce_and_a_host_that_the_policy_does_not_name(self) -> None:
        world = sts_world(StsMode.ENFORCE, "mx9.receiver.test")
        attempt = defer(world)
        assert not world.network.tried
        text = f"{HOST} is no host of the MTA-STS policy of receiver.test"
        assert attempt.outcomes[0][1].reply.text == text
        assert failures(attempt) == [(PolicyType.STS, TlsFailure.VALIDATION)]

    def test_testing_and_all_is_well(self) -> None:
        attempt = deliver(sts_world(StsMode.TESTING))
        assert link(attempt) == (LinkPolicy.STS_TESTING, f"certificate valid for {HOST}")
        assert failures(attempt) == [(PolicyType.STS, None)]

    def test_testing_delivers_what_enforce_would_not(self) -> None:
        server = tls_server()
        server.invalid = TlsFailure.HOST_MISMATCH
        attempt = deliver(sts_world(StsMode.TESTING, server=server))
        assert link(attempt) == (LinkPolicy.STS_TESTING, "")
        assert [policy for policy, _ in server.handshakes] == [
            TlsPolicy.VERIFY,
            TlsPolicy.OPPORTUNISTIC,
        ]
        assert failures(attempt) == [(PolicyType.STS, TlsFailure.HOST_MISMATCH)]

    def test_testing_and_no_starttls(self) -> None:
        attempt = deliver(sts_world(StsMode.TESTING, server=FakeServer("PIPELINING")))
        assert attempt.taken is not None
        assert attempt.taken.tls is None
        assert failures(attempt) == [(PolicyType.STS, TlsFailure.STARTTLS_NOT_SUPPORTED)]

    def test_testing_and_tls_that_is_broken_altogether(self) -> None:
        server = tls_server()
        server.tls = "TLS handshake failed"
        attempt = deliver(sts_world(StsMode.TESTING, server=server))
        assert attempt.taken is not None
        assert (attempt.taken.tls, server.connections) == (None, 3)
        assert failures(attempt) == [(PolicyType.STS, TlsFailure.VALIDATION)]

    def test_testing_and_a_host_that_the_policy_does_not_name(self) -> None:
        attempt = deliver(sts_world(StsMode.TESTING, "mx9.receiver.test"))
        assert "mode testing: used all the same" in words(attempt)
        assert failures(attempt) == [(PolicyType.STS, TlsFailure.VALIDATION)]

    def test_mode_none(self) -> None:
        assert link(deliver(sts_world(StsMode.NONE)))[0] is LinkPolicy.OPPORTUNISTIC

    def test_dane_comes_first(self) -> None:
        """A policy that names another host, and a certificate that no authority vouches for."""
        server = tls_server()
        server.invalid = TlsFailure.NOT_TRUSTED
        world = sts_world(StsMode.ENFORCE, "mx9.receiver.test", server=server)
        world.resolver.table[TLSA] = [GOOD]
        world.resolver.secure.add("receiver.test")
        assert link(deliver(world))[0] is LinkPolicy.DANE

    def test_mta_sts_does_not_save_a_link_that_dane_refuses(self) -> None:
        world = sts_world(StsMode.ENFORCE)
        world.resolver.table[TLSA] = [WRONG]
        world.resolver.secure.add("receiver.test")
        defer(world)

    def test_domains_with_other_policies_share_no_connection(self) -> None:
        worlds = [sts_world(mode) for mode in StsMode]
        keys = {run(world.deliverer.route("receiver.test")).key for world in worlds}
        assert len(keys) == 3


def smarthost_world(*tlsa: str, tls: TlsPolicy = TlsPolicy.OPPORTUNISTIC) -> World:
    """A world where all mail goes by `HOST`, which is nobody's MX."""
    table: Table = {f"{HOST} A": ["127.0.0.3"]}
    if tlsa:
        table[TLSA] = list(tlsa)
    relay = {"*": RelayHost(HOST, 25, tls)}
    world = World(tls_server(), dns=table, tls_reports=True, smarthosts=relay)
    world.resolver.secure.add("receiver.test")
    return world


class TestSmarthost:
    """RFC 7672 §2.2.2: a host that an operator named is as good as one that the DNS names."""

    @pytest.mark.parametrize("tls", [TlsPolicy.OPPORTUNISTIC, TlsPolicy.ENCRYPT])
    def test_its_records_are_looked_up_by_its_own_name(self, tls: TlsPolicy) -> None:
        world = smarthost_world(GOOD, tls=tls)
        (attempt,) = run(world.send(world.job("b@elsewhere.test")))
        assert isinstance(attempt.outcomes[0][1], Delivered), words(attempt)
        policy, verified = link(attempt)
        assert policy is LinkPolicy.DANE
        assert verified.startswith("certificate fits TLSA 3 1 1 ")
        assert f"TLSA of _25._tcp.{HOST}: 3 1 1 " in words(attempt)
        assert not attempt.changes, "the domain's report would not tell of a relay of ours"

    def test_a_certificate_that_does_not_fit(self) -> None:
        world = smarthost_world(WRONG)
        for content in (b"Subject: x\r\n\r\nx\r\n", b"TLS-Required: No\r\n\r\nx\r\n"):
            with pytest.raises(RouteFailed) as failed:
                run(world.send(world.job("b@elsewhere.test", content=content)))
            assert failed.value.reply.enhanced == "4.7.5"
        assert not world.network.servers["127.0.0.3"].messages  # type: ignore[union-attr]

    def test_the_domain_that_mail_is_for_is_no_name_of_it(self) -> None:
        """Else whoever has a certificate of the recipient's domain could stand in for the smarthost."""
        server = tls_server()
        leaf = certificate(
            "elsewhere.test", ROOT, names=("elsewhere.test",), begins=NOW - 10**8, days=10**4
        )
        server.chain = (leaf.der, ROOT.der)
        world = smarthost_world(f"2 1 1 {hashlib.sha256(ROOT.spki).hexdigest()}")
        world.network.servers["127.0.0.3"] = server
        with pytest.raises(RouteFailed):
            run(world.send(world.job("b@elsewhere.test")))

    def test_records_that_cannot_be_had(self) -> None:
        world = smarthost_world()
        world.resolver.table[TLSA] = AnswerStatus.FAILED
        with pytest.raises(RouteFailed) as failed:
            run(world.send(world.job("b@elsewhere.test")))
        assert failed.value.reply.enhanced == "4.4.3"

    @pytest.mark.parametrize("why", ["unsigned", "off", "by address"])
    def test_the_settings_alone_hold(self, why: str) -> None:
        world = smarthost_world(WRONG)
        if why == "unsigned":
            world.resolver.secure.clear()
        elif why == "off":
            world = World(
                tls_server(),
                dns={f"{HOST} A": ["127.0.0.3"], TLSA: [WRONG]},
                dane=False,
                smarthosts={"*": RelayHost(HOST, 25)},
            )
            world.resolver.secure.add("receiver.test")
        else:
            world = World(tls_server(), smarthosts={"*": RelayHost("127.0.0.3", 25)})
        assert link(deliver(world))[0] is LinkPolicy.OPPORTUNISTIC

    def test_verified_by_authorities_is_the_operators_own_rule(self) -> None:
        world = smarthost_world(WRONG, tls=TlsPolicy.VERIFY)
        assert link(deliver(world))[0] is LinkPolicy.VERIFIED


class TestCounting:
    def test_without_any_policy(self) -> None:
        world = World(tls_server(), tls_reports=True)
        assert failures(deliver(world)) == [(PolicyType.NONE, None)]
        world = World(FakeServer(""), tls_reports=True)
        expected = [(PolicyType.NONE, TlsFailure.STARTTLS_NOT_SUPPORTED)]
        assert failures(deliver(world)) == expected

    def test_a_link_is_counted_once_whatever_goes_over_it(self) -> None:
        world = World(tls_server(), tls_reports=True)
        first, second = run(world.send(world.job(), world.job()))
        assert counted(first)
        assert not second.changes

    def test_only_where_reports_are_sent(self) -> None:
        assert not deliver(World(tls_server())).changes

    def test_not_for_routes_of_the_operator_nor_for_literals(self) -> None:
        relay = {"*": RelayHost("127.0.0.3", 25)}
        assert not deliver(World(tls_server(), tls_reports=True, smarthosts=relay)).changes
        world = World(tls_server(), tls_reports=True)
        (attempt,) = run(world.send(world.job("b@[127.0.0.3]")))
        assert not attempt.changes

    def test_a_failure_of_all_hosts_is_counted_too(self) -> None:
        world = World(FakeServer(""), tls=TlsPolicy.ENCRYPT, tls_reports=True)
        with pytest.raises(RouteFailed) as failed:
            run(world.send(world.job()))
        (change,) = failed.value.changes
        assert isinstance(change, TlsCounted)
        assert change.day == "2023-11-14"
        assert change.results[0].failure is TlsFailure.STARTTLS_NOT_SUPPORTED
