"""Answers that were bent by chance never raise, and stay bounded."""

import random

import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import pytest

from postroad.network.answers import Bounds, Chase, read_answer
from postroad.network.exchange import _parse
from postroad.ports import AnswerStatus
from tests.unit.network.nameserver import reply

RECORDS = (
    "a.test. 60 CNAME b.test.",
    "b.test. 60 MX 10 mx.b.test.",
    "b.test. 60 MX 20 mx2.b.test.",
    'b.test. 60 TXT "some" "text"',
    "b.test. 60 A 192.0.2.1",
    "b.test. 60 AAAA 2001:db8::1",
)
SOA = "test. 300 SOA ns.test. root.test. 1 3600 600 86400 60"


@pytest.mark.parametrize("rdtype", ["MX", "TXT", "A", "AAAA", "CNAME", "PTR", "TLSA"])
def test_bent_answers(rdtype: str) -> None:
    chance = random.Random(rdtype)
    query = dns.message.make_query("a.test", rdtype)
    good = reply(query, *RECORDS, authority=(SOA,), flags=dns.flags.AD)
    read = 0
    for _ in range(1500):
        wire = bytearray(good)
        for _ in range(chance.randrange(1, 6)):
            wire[chance.randrange(12 if chance.random() < 0.8 else 2, len(wire))] = (
                chance.randrange(256)
            )
        response = _parse(bytes(wire), query)
        if response is None:
            continue
        read += 1
        chase = Chase(
            "a.test", rdtype, dns.name.from_text("a.test"), dns.rdatatype.from_text(rdtype)
        )
        answer = read_answer(chase, response, Bounds(records=5))
        if answer is not None:
            assert isinstance(answer.status, AnswerStatus)
            assert len(answer.records) <= 5
            assert answer.ttl >= 0
    assert read > 100
