"""The resolver against a name server on loopback that misbehaves by script."""

import asyncio
from collections.abc import Awaitable, Callable

import dns.flags
import dns.message
import dns.rcode
import pytest
import uvloop

from peers.tools import free_port
from postroad.network import DnsResolver, Nameserver, ResolverSettings
from postroad.network.answers import Bounds
from postroad.ports import Answer, AnswerStatus
from tests.unit.network.nameserver import Responder, Script, reply, responder

SOA = "zone.test. 300 SOA ns.zone.test. root.zone.test. 1 3600 600 86400 60"


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Awaitable[None]], None]:
    factory = uvloop.new_event_loop if request.param == "uvloop" else None

    def runner(work: Awaitable[None]) -> None:
        async def main() -> None:
            async with asyncio.timeout(60):
                await work

        with asyncio.Runner(loop_factory=factory) as loop:
            loop.run(main())

    return runner


Run = Callable[[Awaitable[None]], None]


def settings(port: int, **changes: object) -> ResolverSettings:
    values: dict[str, object] = {
        "nameservers": (Nameserver("127.0.0.1", port, trusted=True),),
        "timeout_seconds": 5.0,
        "rounds": 1,
        **changes,
    }
    return ResolverSettings(**values)  # type: ignore[arg-type]


async def ask(
    script: Script, name: str, rdtype: str, **changes: object
) -> tuple[Answer, Responder]:
    async with responder(script) as (server, port):
        return await DnsResolver(settings(port, **changes)).lookup(name, rdtype), server


def always(*answers: str, **options: object) -> Script:
    return lambda query, _: [reply(query, *answers, **options)]  # type: ignore[arg-type]


def test_mx_in_presentation_form(run: Run) -> None:
    async def main() -> None:
        script = always(
            "receiver.test. 300 MX 20 MX2.receiver.test.",
            "receiver.test. 300 MX 10 mx1.receiver.test.",
        )
        answer, _ = await ask(script, "receiver.test", "MX")
        assert answer.status is AnswerStatus.FOUND
        assert answer.records == ("10 mx1.receiver.test", "20 mx2.receiver.test")
        assert answer.ttl == 300
        assert answer.canonical == "receiver.test"
        assert not answer.authenticated

    run(main())


def test_null_mx_keeps_its_dot(run: Run) -> None:
    async def main() -> None:
        answer, _ = await ask(always("no.test. 60 MX 0 ."), "no.test", "MX")
        assert answer.records == ("0 .",)

    run(main())


def test_txt_strings_are_joined(run: Run) -> None:
    async def main() -> None:
        answer, _ = await ask(always('a.test. 60 TXT "v=spf1 " "-all"'), "a.test", "TXT")
        assert answer.records == ("v=spf1 -all",)

    run(main())


def test_ad_bit_counts_only_from_trusted_servers(run: Run) -> None:
    async def main() -> None:
        script = always("a.test. 60 A 192.0.2.1", flags=dns.flags.AD)
        async with responder(script) as (server, port):
            trusted = DnsResolver(settings(port))
            assert (await trusted.lookup("a.test", "A")).authenticated
            untrusted = settings(port, nameservers=(Nameserver("127.0.0.1", port),))
            assert not (await DnsResolver(untrusted).lookup("a.test", "A")).authenticated
            assert all(query.flags & dns.flags.AD for query in server.queries)
            assert [bool(query.ednsflags & dns.flags.DO) for query in server.queries] == [
                True,
                False,
            ]

    run(main())


@pytest.mark.parametrize(
    ("rcode", "status", "ttl"),
    [
        (dns.rcode.NXDOMAIN, AnswerStatus.NO_NAME, 60.0),
        (dns.rcode.NOERROR, AnswerStatus.NO_DATA, 60.0),
    ],
)
def test_negative_answers_live_as_the_soa_says(
    run: Run, rcode: dns.rcode.Rcode, status: AnswerStatus, ttl: float
) -> None:
    async def main() -> None:
        async with responder(always(authority=(SOA,), rcode=rcode)) as (server, port):
            now = [1000.0]
            resolver = DnsResolver(settings(port), monotonic=lambda: now[0])
            answer = await resolver.lookup("a.test", "A")
            assert (answer.status, answer.ttl) == (status, ttl)
            now[0] += 59
            assert (await resolver.lookup("a.test", "A")).ttl == 1.0
            assert len(server.asked) == 1
            now[0] += 2
            await resolver.lookup("a.test", "A")
            assert len(server.asked) == 2

    run(main())


def test_negative_answer_without_soa_is_not_cached(run: Run) -> None:
    async def main() -> None:
        async with responder(always(rcode=dns.rcode.NXDOMAIN)) as (server, port):
            resolver = DnsResolver(settings(port))
            await resolver.lookup("a.test", "A")
            await resolver.lookup("a.test", "A")
            assert len(server.asked) == 2

    run(main())


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_servfail_is_failed_in_words(run: Run, rcode: dns.rcode.Rcode) -> None:
    async def main() -> None:
        answer, server = await ask(always(rcode=rcode), "a.test", "A", rounds=2)
        assert answer.status is AnswerStatus.FAILED
        assert dns.rcode.to_text(rcode) in answer.detail
        assert len(server.asked) == 2

    run(main())


def test_next_server_is_asked_and_remembered(run: Run) -> None:
    async def main() -> None:
        async with (
            responder(always(rcode=dns.rcode.SERVFAIL)) as (bad, bad_port),
            responder(always("a.test. 60 A 192.0.2.1", "b.test. 60 A 192.0.2.2")) as (good, port),
        ):
            servers = (Nameserver("127.0.0.1", bad_port), Nameserver("127.0.0.1", port))
            resolver = DnsResolver(settings(port, nameservers=servers))
            assert (await resolver.lookup("a.test", "A")).records == ("192.0.2.1",)
            assert (await resolver.lookup("b.test", "A")).records == ("192.0.2.2",)
            assert (len(bad.asked), len(good.asked)) == (1, 2)

    run(main())


def test_silence_is_failed_in_time(run: Run) -> None:
    async def main() -> None:
        before = asyncio.get_running_loop().time()
        answer, _ = await ask(lambda query, _: [], "a.test", "A", timeout_seconds=0.15)
        assert answer.status is AnswerStatus.FAILED
        assert "timed out" in answer.detail
        assert asyncio.get_running_loop().time() - before < 4

    run(main())


def test_nobody_there(run: Run) -> None:
    async def main() -> None:
        answer = await DnsResolver(settings(free_port())).lookup("a.test", "A")
        assert answer.status is AnswerStatus.FAILED
        assert "connection refused" in answer.detail

    run(main())


def test_truncated_answer_is_asked_by_tcp(run: Run) -> None:
    def script(query: dns.message.Message, transport: str) -> list[bytes]:
        if transport == "udp":
            return [reply(query, flags=dns.flags.TC)]
        return [reply(query, *(f'big.test. 60 TXT "{"x" * 250}{n:03}"' for n in range(40)))]

    async def main() -> None:
        answer, server = await ask(script, "big.test", "TXT")
        assert len(answer.records) == 40
        assert [transport for _, _, transport in server.asked] == ["udp", "tcp"]

    run(main())


def test_tcp_cut_short_is_failed(run: Run) -> None:
    def script(query: dns.message.Message, transport: str) -> list[bytes]:
        return [reply(query, flags=dns.flags.TC)] if transport == "udp" else []

    async def main() -> None:
        answer, _ = await ask(script, "a.test", "A")
        assert answer.status is AnswerStatus.FAILED
        assert "before its answer was complete" in answer.detail

    run(main())


def wrong_id(query: dns.message.Message) -> bytes:
    wire = bytearray(reply(query, "a.test. 60 A 203.0.113.66"))
    wire[0] ^= 0x55
    return bytes(wire)


def wrong_question(query: dns.message.Message) -> bytes:
    other = dns.message.make_query("other.test", "A", id=query.id)
    return reply(other, "other.test. 60 A 203.0.113.66")


@pytest.mark.parametrize(
    "forge", [wrong_id, wrong_question, lambda _: b"\xff" * 40, lambda _: b"\0"]
)
def test_answers_that_do_not_match_are_passed_over(
    run: Run, forge: Callable[[dns.message.Message], bytes]
) -> None:
    async def main() -> None:
        answer, _ = await ask(
            lambda query, _: [forge(query), reply(query, "a.test. 60 A 192.0.2.1")], "a.test", "A"
        )
        assert answer.records == ("192.0.2.1",)
        answer, _ = await ask(lambda query, _: [forge(query)], "a.test", "A", timeout_seconds=0.15)
        assert answer.status is AnswerStatus.FAILED
        assert "did not match" in answer.detail

    run(main())


def test_flood_of_forged_answers_ends_at_once(run: Run) -> None:
    async def main() -> None:
        before = asyncio.get_running_loop().time()
        answer, _ = await ask(
            lambda query, _: [wrong_id(query)] * 20, "a.test", "A", timeout_seconds=30.0
        )
        assert answer.status is AnswerStatus.FAILED
        assert asyncio.get_running_loop().time() - before < 5

    run(main())


def test_compression_loop_is_no_answer(run: Run) -> None:
    def script(query: dns.message.Message, _: str) -> list[bytes]:
        head = bytearray(query.to_wire()[:12])
        head[2] |= 0x80
        head[11] = 0
        return [bytes(head) + b"\xc0\x0c\x00\x01\x00\x01"]

    async def main() -> None:
        answer, _ = await ask(script, "a.test", "A", timeout_seconds=0.15)
        assert answer.status is AnswerStatus.FAILED

    run(main())


def test_server_that_does_not_know_edns(run: Run) -> None:
    def script(query: dns.message.Message, _: str) -> list[bytes]:
        if query.edns >= 0:
            return [reply(query, rcode=dns.rcode.FORMERR)]
        return [reply(query, "a.test. 60 A 192.0.2.1")]

    async def main() -> None:
        answer, _ = await ask(script, "a.test", "A")
        assert answer.records == ("192.0.2.1",)

    run(main())


def test_cname_chain_in_one_answer(run: Run) -> None:
    async def main() -> None:
        script = always(
            "a.test. 60 CNAME b.test.", "b.test. 30 CNAME c.test.", "c.test. 90 A 192.0.2.1"
        )
        answer, _ = await ask(script, "a.test", "A")
        assert (answer.records, answer.canonical, answer.ttl) == (("192.0.2.1",), "c.test", 30)

    run(main())


def test_cname_target_is_asked_for_when_left_out(run: Run) -> None:
    def script(query: dns.message.Message, _: str) -> list[bytes]:
        if query.question[0].name.to_text() == "a.test.":
            return [reply(query, "a.test. 60 CNAME b.test.")]
        return [reply(query, "b.test. 90 A 192.0.2.1")]

    async def main() -> None:
        answer, server = await ask(script, "a.test", "A")
        assert (answer.records, answer.canonical) == (("192.0.2.1",), "b.test")
        assert [name for name, _, _ in server.asked] == ["a.test", "b.test"]

    run(main())


def test_cname_to_nowhere(run: Run) -> None:
    async def main() -> None:
        script = always("a.test. 60 CNAME b.test.", authority=(SOA,), rcode=dns.rcode.NXDOMAIN)
        answer, _ = await ask(script, "a.test", "A")
        assert (answer.status, answer.canonical) == (AnswerStatus.NO_NAME, "b.test")

    run(main())


def test_cname_loop(run: Run) -> None:
    async def main() -> None:
        script = always("a.test. 60 CNAME b.test.", "b.test. 60 CNAME a.test.")
        answer, _ = await ask(script, "a.test", "A")
        assert answer.status is AnswerStatus.FAILED
        assert "CNAME loop" in answer.detail

    run(main())


def test_endless_cname_chain_over_many_questions(run: Run) -> None:
    def script(query: dns.message.Message, _: str) -> list[bytes]:
        name = query.question[0].name.to_text()
        return [reply(query, f"{name} 60 CNAME x{name}")]

    async def main() -> None:
        answer, server = await ask(script, "a.test", "A")
        assert answer.status is AnswerStatus.FAILED
        assert "more than 8 CNAMEs" in answer.detail
        assert len(server.asked) <= 9

    run(main())


def test_a_thousand_mx_are_bounded_to_the_best(run: Run) -> None:
    def script(query: dns.message.Message, transport: str) -> list[bytes]:
        if transport == "udp":
            return [reply(query, flags=dns.flags.TC)]
        records = (f"m.test. 60 MX {(n * 7) % 1000} mx{n}.m.test." for n in range(1000))
        return [reply(query, *records)]

    async def main() -> None:
        answer, _ = await ask(script, "m.test", "MX", timeout_seconds=5.0)
        preferences = [int(record.split()[0]) for record in answer.records]
        assert preferences == list(range(100))

    run(main())


def test_text_is_bounded(run: Run) -> None:
    async def main() -> None:
        script = always(*(f'a.test. 60 TXT "{"x" * 200}{n:03}"' for n in range(4)))
        answer, _ = await ask(script, "a.test", "TXT", bounds=Bounds(text_octets=500))
        assert answer.status is AnswerStatus.FAILED
        assert "more than 500 octets" in answer.detail

    run(main())


def test_equal_questions_are_asked_once(run: Run) -> None:
    async def main() -> None:
        async with responder(always("a.test. 60 A 192.0.2.1")) as (server, port):
            resolver = DnsResolver(settings(port))
            answers = await asyncio.gather(*(resolver.lookup("a.test", "A") for _ in range(50)))
            assert {answer.records for answer in answers} == {("192.0.2.1",)}
            assert len(server.asked) == 1

    run(main())


def test_one_asker_that_gives_up_does_not_hurt_the_other(run: Run) -> None:
    async def main() -> None:
        async with responder(always("a.test. 60 A 192.0.2.1")) as (_, port):
            resolver = DnsResolver(settings(port))
            first = asyncio.create_task(resolver.lookup("a.test", "A"))
            second = asyncio.create_task(resolver.lookup("a.test", "A"))
            await asyncio.sleep(0)
            first.cancel()
            assert (await second).records == ("192.0.2.1",)

    run(main())


def test_cache_is_bounded_and_can_be_flushed(run: Run) -> None:
    def script(query: dns.message.Message, _: str) -> list[bytes]:
        return [reply(query, f"{query.question[0].name} 60 A 192.0.2.1")]

    async def main() -> None:
        async with responder(script) as (server, port):
            resolver = DnsResolver(settings(port, cache_entries=3))
            for name in ("a.test", "b.test", "c.test", "d.test", "d.test", "a.test"):
                await resolver.lookup(name, "A")
            assert [name for name, _, _ in server.asked] == [
                "a.test", "b.test", "c.test", "d.test", "a.test",
            ]  # fmt: skip
            resolver.flush()
            await resolver.lookup("d.test", "A")
            assert len(server.asked) == 6

    run(main())


def test_zero_ttl_is_not_cached(run: Run) -> None:
    async def main() -> None:
        async with responder(always("a.test. 0 A 192.0.2.1")) as (server, port):
            resolver = DnsResolver(settings(port))
            await resolver.lookup("a.test", "A")
            await resolver.lookup("a.test", "A")
            assert len(server.asked) == 2

    run(main())


@pytest.mark.parametrize("name", ["a" * 64 + ".test", "a..test", "x." * 130 + "test"])
def test_what_is_no_name_does_not_exist(run: Run, name: str) -> None:
    async def main() -> None:
        answer, server = await ask(always(), name, "MX")
        assert answer.status is AnswerStatus.NO_NAME
        assert server.asked == []

    run(main())
