import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model import Address, Body, Envelope, InvalidAddress, Notify, Recipient, Ret
from postroad.wire.smtp import LocalProtocolError, RemoteProtocolError, grammar
from postroad.wire.smtp.xtext import encode_xtext

ATOM = st.text("abcXYZ019!#$%&'*+-/=?^_`{|}~", min_size=1, max_size=8)
DOT_STRING = st.lists(ATOM, min_size=1, max_size=3).map(".".join)
QUOTED = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=12)
LABEL = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
DOMAIN = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
LITERAL = st.sampled_from(["[192.0.2.1]", "[ipv6:2001:db8::1]"])
ADDRESS = st.builds(Address, st.one_of(DOT_STRING, QUOTED), st.one_of(DOMAIN, LITERAL))
XTEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20).map(
    encode_xtext
)
ALL = ("SIZE", "8BITMIME", "SMTPUTF8", "DSN")


def refusal(argument: str, **settings: bool) -> str:
    with pytest.raises(RemoteProtocolError) as caught:
        grammar.read_mail(f"FROM:{argument}", **settings)
    assert caught.value.reply is not None
    return f"{caught.value.reply.code} {caught.value.reply.enhanced}"


def rcpt_refusal(argument: str, **settings: bool) -> str:
    with pytest.raises(RemoteProtocolError) as caught:
        grammar.read_rcpt(f"TO:{argument}", hostname="mx.example", **settings)
    assert caught.value.reply is not None
    return f"{caught.value.reply.code} {caught.value.reply.enhanced}"


class TestRoundTrip:
    @given(
        st.one_of(st.none(), ADDRESS),
        st.one_of(st.none(), st.integers(0, 10**15)),
        st.sampled_from([Body.SEVEN_BIT, Body.EIGHT_BIT_MIME]),
        st.booleans(),
        st.one_of(st.none(), st.sampled_from(Ret)),
        st.one_of(st.none(), XTEXT),
    )
    def test_mail(
        self,
        sender: Address | None,
        size: int | None,
        body: Body,
        utf8: bool,
        ret: Ret | None,
        envid: str | None,
    ) -> None:
        given_envelope = Envelope(sender, (), body, utf8, ret, envid, size)
        line = grammar.write_mail(given_envelope, size, utf8=utf8, extensions=ALL)
        assert line.startswith(b"MAIL ")
        assert line.endswith(b"\r\n")
        assert grammar.read_mail(line.decode()[5:-2]) == given_envelope

    @given(
        ADDRESS,
        st.one_of(
            st.just(Notify.DEFAULT),
            st.just(Notify.NEVER),
            st.sampled_from([Notify.SUCCESS, Notify.FAILURE | Notify.DELAY]),
        ),
        st.one_of(st.none(), XTEXT.map(lambda text: f"rfc822;{text}")),
    )
    def test_rcpt(self, address: Address, notify: Notify, orcpt: str | None) -> None:
        recipient = Recipient(address, notify, orcpt)
        line = grammar.write_rcpt(recipient, extensions=ALL)
        read = grammar.read_rcpt(line.decode()[5:-2], hostname="mx.example")
        assert read == recipient

    @given(st.text('ab.-@!"\\ é[]:1<>', max_size=20))
    def test_both_ways_of_reading_agree_with_the_address_itself(self, text: str) -> None:
        try:
            expected: Address | None = Address.parse(text)
        except InvalidAddress:
            expected = None
        try:
            found: Address | None = grammar.read_rcpt(
                f"TO:<{text}>", hostname="mx.example", utf8=True
            ).address
        except RemoteProtocolError:
            found = None
        assert found == expected

    @pytest.mark.parametrize("length", [62, 63, 64, 65, 300])
    def test_long_parts_are_measured(self, length: int) -> None:
        for text in (f"{'a' * length}@x.example", f"a@{'b' * length}", f"a@{'b.' * length}c"):
            try:
                Address.parse(text)
            except InvalidAddress:
                assert rcpt_refusal(f"<{text}>") == "501 5.1.3"
            else:
                grammar.read_rcpt(f"TO:<{text}>", hostname="mx.example")


class TestMail:
    def test_null_reverse_path(self) -> None:
        assert grammar.read_mail("FROM:<>") == Envelope(None)

    def test_keyword_in_any_case_and_domain_in_lower(self) -> None:
        read = grammar.read_mail("from:<Joe@EXAMPLE.com> size=10 Body=8bitmime")
        assert read.sender == Address("Joe", "example.com")
        assert (read.size, read.body) == (10, Body.EIGHT_BIT_MIME)

    @pytest.mark.parametrize(
        "path", ["@a.example,@b.example:user@c.example", "@a.example:user@c.example"]
    )
    def test_source_route_is_ignored(self, path: str) -> None:
        assert grammar.read_mail(f"FROM:<{path}>").sender == Address("user", "c.example")

    @pytest.mark.parametrize(
        ("argument", "answer"),
        [
            (" <a@b.example>", "501 5.5.4"),
            ("a@b.example", "501 5.5.4"),
            ("", "501 5.5.4"),
            ("<a@b.example", "501 5.1.7"),
            ("<a@b.example>x", "501 5.1.7"),
            ("<a>", "501 5.1.7"),
            ("<@b.example>", "501 5.1.7"),
            ("<a@>", "501 5.1.7"),
            ("<a@-b.example>", "501 5.1.7"),
            ("<a@b..example>", "501 5.1.7"),
            ("<a..b@c.example>", "501 5.1.7"),
            ("<a b@c.example>", "501 5.1.7"),
            ("<a@b@c.example>", "501 5.1.7"),
            ("<@a.example,b.example:c@d.example>", "501 5.1.7"),
            ("<@a.example:>", "501 5.1.7"),
            ("<é@b.example>", "553 5.6.7"),
            ("<a@é.example>", "553 5.6.7"),
            ("<> SIZE", "501 5.5.4"),
            ("<> SIZE=", "501 5.5.4"),
            ("<> SIZE=-1", "501 5.5.4"),
            ("<> SIZE=١", "501 5.5.4"),
            ("<> SIZE=1 SIZE=1", "501 5.5.4"),
            ("<> BODY=BINARYMIME", "555 5.5.4"),
            ("<> BODY", "555 5.5.4"),
            ("<> SMTPUTF8=1", "501 5.5.4"),
            ("<> RET=ALL", "501 5.5.4"),
            ("<> ENVID=a+zz", "501 5.5.4"),
            ("<> ENVID=a+0D+0Ab", "501 5.5.4"),
            ("<> ENVID=" + "a" * 101, "501 5.5.4"),
            ("<> AUTH=<>", "555 5.5.4"),
            ("<> REQUIRETLS", "555 5.5.4"),
            ("<> X-UNKNOWN=1", "555 5.5.4"),
            ("<> =1", "501 5.5.4"),
            ("<> SIZE=1=2", "501 5.5.4"),
        ],
    )
    def test_refused(self, argument: str, answer: str) -> None:
        assert refusal(argument) == answer

    def test_parameters_need_ehlo(self) -> None:
        assert refusal("<> SIZE=1", extended=False) == "555 5.5.4"

    def test_utf8(self) -> None:
        read = grammar.read_mail("FROM:<é@bücher.example> SMTPUTF8")
        assert read.sender == Address("é", "xn--bcher-kva.example")
        assert read.smtputf8

    def test_auth_parameter_where_offered(self) -> None:
        assert grammar.read_mail("FROM:<> AUTH=<>", auth=True) == Envelope(None)
        assert grammar.read_mail("FROM:<> AUTH=e+3Dmc2@example.com", auth=True) == Envelope(None)
        assert refusal("<> AUTH=a+", auth=True) == "501 5.5.4"


class TestRcpt:
    @pytest.mark.parametrize("text", ["Postmaster", "POSTMASTER", "postmaster"])
    def test_postmaster_without_domain(self, text: str) -> None:
        read = grammar.read_rcpt(f"TO:<{text}>", hostname="MX.example")
        assert read.address == Address("postmaster", "mx.example")

    def test_esmtp_within_a_quoted_local_part_is_local_part(self) -> None:
        read = grammar.read_rcpt('TO:<"foo@x> ORCPT=admin@y"@z>', hostname="mx.example")
        assert read == Recipient(Address("foo@x> ORCPT=admin@y", "z"))
        assert grammar.write_rcpt(read) == b'RCPT TO:<"foo@x> ORCPT=admin@y"@z>\r\n'

    @pytest.mark.parametrize("local_part", ["a%b", "b!c", "x@other"])
    def test_relay_tricks_stay_local_parts(self, local_part: str) -> None:
        text = str(Address(local_part, "us.example"))
        read = grammar.read_rcpt(f"TO:<{text}>", hostname="mx.example")
        assert read.address == Address(local_part, "us.example")

    @pytest.mark.parametrize(
        ("argument", "answer"),
        [
            ("<>", "501 5.1.3"),
            (" <a@b.example>", "501 5.5.4"),
            ("<nobody>", "501 5.1.3"),
            ("<é@b.example>", "553 5.6.7"),
            ('<"a@b.example>', "501 5.1.3"),
            ("<a@[127.0.0.1>", "501 5.1.3"),
            ("<a@[x-tag:1]>", "501 5.1.3"),
            ("<a@b.example> NOTIFY", "501 5.5.4"),
            ("<a@b.example> NOTIFY=NEVER,DELAY", "501 5.5.4"),
            ("<a@b.example> NOTIFY=SOMETIMES", "501 5.5.4"),
            ("<a@b.example> ORCPT=a@b", "501 5.5.4"),
            ("<a@b.example> ORCPT=rfc822;", "501 5.5.4"),
            ("<a@b.example> ORCPT=rfc822;a+0Ab", "501 5.5.4"),
            ("<a@b.example> ORCPT=rfc822;a+C2+85b", "501 5.5.4"),
            ("<a@b.example> ORCPT=rfc822;a+FCb", "501 5.5.4"),
            ("<a@b.example> ORCPT=rfc822;" + "a" * 500, "501 5.5.4"),
            ("<a@b.example> ORCPT=utf-8;é@b", "501 5.5.4"),
            ("<a@b.example> SIZE=1", "555 5.5.4"),
        ],
    )
    def test_refused(self, argument: str, answer: str) -> None:
        assert rcpt_refusal(argument) == answer

    def test_dsn_parameters(self) -> None:
        read = grammar.read_rcpt(
            "TO:<a@b.example> notify=success,Failure ORCPT=rfc822;Bob@x", hostname="mx.example"
        )
        assert read.notify == Notify.SUCCESS | Notify.FAILURE
        assert read.orcpt == "rfc822;Bob@x"

    @pytest.mark.parametrize("address", [r"\x{E9}@b.example", "é@b.example"])
    def test_utf8_original_recipient(self, address: str) -> None:
        read = grammar.read_rcpt(
            f"TO:<a@b.example> ORCPT=utf-8;{address}", hostname="mx.example", utf8=True
        )
        assert read.orcpt == f"utf-8;{address}"

    def test_utf8_original_recipient_as_postfix_writes_it(self) -> None:
        read = grammar.read_rcpt(
            "TO:<a@b.example> ORCPT=rfc822;j+C3+BCr+2Bgen@b.example", hostname="mx.example"
        )
        assert read.orcpt == "rfc822;j+C3+BCr+2Bgen@b.example"


class TestOthers:
    @pytest.mark.parametrize(
        "name", ["a.example", "my_host", "[192.0.2.1]", "[IPv6:::1]", "a-b.c."]
    )
    def test_hello(self, name: str) -> None:
        assert grammar.read_hello(name) == name
        assert grammar.write_hello("EHLO", name) == f"EHLO {name}\r\n".encode()

    @pytest.mark.parametrize("name", ["", "a b", "<a>", "a(b)", "é", "a" * 256, "[", "a\0", "a;b"])
    def test_no_hello(self, name: str) -> None:
        with pytest.raises(RemoteProtocolError):
            grammar.read_hello(name)
        with pytest.raises(LocalProtocolError):
            grammar.write_hello("EHLO", name)

    def test_chunk(self) -> None:
        assert grammar.read_chunk("0") == (0, False)
        assert grammar.read_chunk("86 last") == (86, True)
        for argument in ("", "LAST", "-1", "1 FIRST", "1LAST", "9" * 20, "١"):
            with pytest.raises(RemoteProtocolError):
                grammar.read_chunk(argument)

    @pytest.mark.parametrize("letter", ["\r", "\n", "\0", "\x7f"])
    def test_no_control_character_is_ever_written(self, letter: str) -> None:
        bad = Address(f"a{letter}b", "c.example")
        with pytest.raises(LocalProtocolError):
            grammar.write_mail(Envelope(bad), 1)
        with pytest.raises(LocalProtocolError):
            grammar.write_rcpt(Recipient(bad))
        with pytest.raises(LocalProtocolError):
            grammar.write_rcpt(
                Recipient(Address("a", "b"), orcpt=f"rfc822;a{letter}"), extensions=ALL
            )

    def test_no_parameter_is_smuggled_in_a_value(self) -> None:
        with pytest.raises(LocalProtocolError):
            grammar.write_mail(Envelope(None, envid="a RET=FULL"), 1, extensions=ALL)

    def test_only_what_is_offered_is_written(self) -> None:
        given_envelope = Envelope(None, body=Body.EIGHT_BIT_MIME, ret=Ret.FULL, envid="x")
        assert grammar.write_mail(given_envelope, 5) == b"MAIL FROM:<>\r\n"
        recipient = Recipient(Address("a", "b"), Notify.NEVER, "rfc822;x")
        assert grammar.write_rcpt(recipient) == b"RCPT TO:<a@b>\r\n"
