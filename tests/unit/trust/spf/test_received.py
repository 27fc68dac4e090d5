from hypothesis import given
from hypothesis import strategies as st

from postroad.message.header import Header
from postroad.trust.spf import Identity, SpfCheck, SpfResult, received_spf


def a_check(**more: object) -> SpfCheck:
    values: dict[str, object] = {
        "result": SpfResult.PASS,
        "identity": Identity.MAIL_FROM,
        "domain": "example.com",
        "sender": "user@example.com",
        "helo": "mx.example.net",
        "ip": "192.0.2.1",
        "reason": "ip4:192.0.2.1 of example.com matches 192.0.2.1",
        "term": "ip4:192.0.2.1",
    }
    return SpfCheck(**(values | more))  # type: ignore[arg-type]


def test_a_pass() -> None:
    assert received_spf(a_check(), "mx.example.org") == (
        b"Received-SPF: pass (mx.example.org: example.com designates 192.0.2.1 as permitted sender)\r\n"
        b"\treceiver=mx.example.org;\r\n"
        b"\tclient-ip=192.0.2.1;\r\n"
        b'\tenvelope-from="user@example.com";\r\n'
        b"\thelo=mx.example.net;\r\n"
        b"\tidentity=mailfrom;\r\n"
        b'\tmechanism="ip4:192.0.2.1";\r\n'
    )


def test_an_error_tells_the_problem() -> None:
    check = a_check(result=SpfResult.PERMERROR, term="", reason='"foo": no mechanism', ip="::1")
    field = received_spf(check, "mx.example.org")
    assert b'problem="\\"foo\\": no mechanism";' in field
    assert b'client-ip="::1";' in field


@given(st.text(max_size=400), st.text(max_size=400), st.text(max_size=400))
def test_nothing_in_it_ends_the_field(sender: str, helo: str, domain: str) -> None:
    check = a_check(sender=sender, helo=helo, domain=domain, result=SpfResult.TEMPERROR)
    field = received_spf(check, "mx.example.org")
    header = Header.parse(field + b"Next: 1\r\n\r\n")
    assert [each.name for each in header.fields] == ["Received-SPF", "Next"]
    assert field.count(b"\r") == field.count(b"\n") == field.count(b"\r\n")
    assert max(map(len, field.split(b"\r\n"))) <= 998
    comment = header.fields[0].value.partition("(")[2]
    assert comment.count("(") == 0 or '"' in comment
