import pytest

from postroad.model import Address
from postroad.wire.smtp import Auth, Closed, Rcpt, Reset, Verify
from tests.unit.wire.smtp.dialogue import codes, say, serving


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"FOO", "500 5.5.1"),
        (b"", "500 5.5.1"),
        (b" NOOP", "500 5.5.1"),
        (b"TURN", "502 5.5.1"),
        (b"ETRN x", "502 5.5.1"),
        (b"EXPN list", "502 5.5.1"),
        (b"STARTTLS", "502 5.5.1"),
        (b"AUTH PLAIN", "502 5.5.1"),
        (b"NOOP", "250 2.0.0"),
        (b"noop anything at all", "250 2.0.0"),
        (b"NOOP \t ", "250 2.0.0"),
        (b"HELP", "214 2.0.0"),
        (b"RSET", "250 2.0.0"),
        (b"RSET now", "501 5.5.4"),
        (b"QUIT now", "501 5.5.4"),
        (b"VRFY", "501 5.5.4"),
        (b"VRFY Smith", "252 2.1.5"),
        (b"EHLO", "501"),
        (b"EHLO a b", "501"),
        (b"MAIL", "501 5.5.4"),
        (b"MAIL TO:<a@b>", "501 5.5.4"),
        (b"RCPT TO:<a@b>", "503 5.5.1"),
        (b"DATA", "503 5.5.1"),
        (b"LHLO x", "500 5.5.1"),
        (b"NOOP a\0b", "500 5.5.2"),
        (b"NOOP a\rb", "500 5.5.2"),
        (b"NOOP \x7f", "500 5.5.2"),
        (b"NOOP \xff", "500 5.5.2"),
        (b"NOOP\r", "500 5.5.2"),
        ("R\u017fET".encode(), "500 5.5.1"),  # a long s, whose upper case is S
        (b"MAIL FROM:<a@b> SIZE=99999999999", "552 5.3.4"),
    ],
)
def test_answers(line: bytes, answer: str) -> None:
    clerk = serving()
    say(clerk, b"EHLO x\r\n")
    assert codes(say(clerk, line + b"\r\n")) == [answer]
    assert codes(say(clerk, b"NOOP\r\n")) == ["250 2.0.0"]


@pytest.mark.parametrize(
    "line", [b"MAIL FROM:<>", b"RCPT TO:<a@b>", b"DATA", b"AUTH PLAIN", b"STARTTLS"]
)
def test_before_ehlo(line: bytes) -> None:
    assert codes(say(serving(starttls=True, auth=("PLAIN",)), line + b"\r\n")) == ["503 5.5.1"]


class TestHello:
    def test_offers(self) -> None:
        answer = say(serving(max_recipients=7, max_transactions=8), b"EHLO x\r\n")
        assert answer.split(b"\r\n") == [
            b"250-mx.example hello x",
            b"250-PIPELINING",
            b"250-SIZE 52428800",
            b"250-8BITMIME",
            b"250-SMTPUTF8",
            b"250-DSN",
            b"250-ENHANCEDSTATUSCODES",
            b"250-CHUNKING",
            b"250 LIMITS MAILMAX=8 RCPTMAX=7",
            b"",
        ]

    def test_requiretls_is_for_secure_links_alone(self) -> None:
        for secure in (True, False):
            clerk = serving(secure=secure)
            assert (b"250-REQUIRETLS\r\n" in say(clerk, b"EHLO x\r\n")) is secure
            answer = codes(say(clerk, b"MAIL FROM:<> REQUIRETLS\r\n"))
            assert answer == (["250 2.1.0"] if secure else ["555 5.5.4"])
            envelope = clerk.server.envelope
            assert (envelope is not None and envelope.requiretls) is secure
        clerk = serving(secure=True, lmtp=True)
        assert b"REQUIRETLS" not in say(clerk, b"LHLO x\r\n")

    def test_helo_has_no_extensions(self) -> None:
        clerk = serving()
        assert say(clerk, b"HELO x\r\n") == b"250 mx.example hello x\r\n"
        assert codes(say(clerk, b"MAIL FROM:<> SIZE=1\r\n")) == ["555 5.5.4"]
        assert not clerk.server.extended

    def test_ehlo_amid_a_transaction_resets(self) -> None:
        clerk = serving()
        say(clerk, b"EHLO x\r\nMAIL FROM:<>\r\nEHLO\r\n")
        assert clerk.server.envelope is not None
        say(clerk, b"EHLO y\r\n")
        assert clerk.server.envelope is None
        assert clerk.events[-1] == Reset()
        assert clerk.server.hello_name == "y"


class TestTransaction:
    def test_order(self) -> None:
        clerk = serving()
        answer = say(
            clerk,
            b"EHLO x\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nMAIL FROM:<>\r\nRSET\r\n"
            b"RCPT TO:<a@b>\r\n",
        )
        assert [code[:3] for code in codes(answer)] == [
            "250",
            "250",
            "503",
            "250",
            "503",
            "250",
            "503",
        ]

    def test_data_without_recipient(self) -> None:
        clerk = serving()
        say(clerk, b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<nobody@x>\r\n")
        assert codes(say(clerk, b"DATA\r\n")) == ["554 5.5.1"]

    def test_sender_refused(self) -> None:
        clerk = serving()
        answer = say(clerk, b"EHLO x\r\nMAIL FROM:<spammer@x>\r\nRCPT TO:<a@b>\r\n")
        assert codes(answer) == ["250", "550 5.7.1", "503 5.5.1"]

    def test_postmaster(self) -> None:
        clerk = serving()
        say(clerk, b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<postmaster>\r\n")
        event = clerk.events[-1]
        assert isinstance(event, Rcpt)
        assert event.recipient.address == Address("postmaster", "mx.example")

    def test_too_many_recipients(self) -> None:
        clerk = serving(max_recipients=2)
        say(clerk, b"EHLO x\r\nMAIL FROM:<>\r\n")
        answer = say(clerk, b"".join(b"RCPT TO:<u%d@b>\r\n" % number for number in range(4)))
        assert codes(answer) == ["250 2.1.5", "250 2.1.5", "452 4.5.3", "452 4.5.3"]
        assert codes(say(clerk, b"DATA\r\n")) == ["354"]

    def test_too_many_transactions(self) -> None:
        clerk = serving(max_transactions=2)
        say(clerk, b"EHLO x\r\n")
        answer = say(clerk, b"MAIL FROM:<>\r\nRSET\r\n" * 3)
        assert codes(answer)[::2] == ["250 2.1.0", "250 2.1.0", "452 4.5.3"]

    def test_421_from_the_driver(self) -> None:
        clerk = serving()
        answer = say(clerk, b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<gone@x>\r\nDATA\r\n")
        assert codes(answer) == ["250", "250 2.1.0", "421 4.3.0"]
        assert clerk.events[-1] == Closed("421")

    def test_utf8_replies_only_in_utf8_transactions(self) -> None:
        clerk = serving()
        say(clerk, b"EHLO x\r\nMAIL FROM:<> SMTPUTF8\r\n")
        assert codes(say(clerk, "RCPT TO:<é@b>\r\n".encode())) == ["250 2.1.5"]


class TestAuth:
    PLAIN = b"AHVzZXIAc2VjcmV0"  # user, secret

    def test_plain(self) -> None:
        clerk = serving(secure=True, auth=("PLAIN", "LOGIN"), auth_required=True)
        assert codes(say(clerk, b"EHLO x\r\nMAIL FROM:<>\r\n")) == ["250", "530 5.7.0"]
        assert codes(say(clerk, b"AUTH PLAIN " + self.PLAIN + b"\r\n")) == ["235 2.7.0"]
        assert clerk.server.authenticated == "user"
        assert codes(say(clerk, b"AUTH PLAIN x\r\nMAIL FROM:<>\r\n")) == ["503 5.5.1", "250 2.1.0"]

    def test_plain_in_two_steps(self) -> None:
        clerk = serving(secure=True, auth=("PLAIN",))
        say(clerk, b"EHLO x\r\n")
        assert say(clerk, b"auth plain\r\n") == b"334 \r\n"
        assert codes(say(clerk, self.PLAIN + b"\r\n")) == ["235 2.7.0"]

    def test_login(self) -> None:
        clerk = serving(secure=True, auth=("LOGIN",))
        say(clerk, b"EHLO x\r\n")
        assert say(clerk, b"AUTH LOGIN\r\n") == b"334 VXNlcm5hbWU6\r\n"
        assert say(clerk, b"dXNlcg==\r\n") == b"334 UGFzc3dvcmQ6\r\n"
        assert codes(say(clerk, b"c2VjcmV0\r\n")) == ["235 2.7.0"]

    def test_login_with_initial_response(self) -> None:
        clerk = serving(secure=True, auth=("LOGIN",))
        say(clerk, b"EHLO x\r\n")
        assert say(clerk, b"AUTH LOGIN dXNlcg==\r\n") == b"334 UGFzc3dvcmQ6\r\n"
        assert codes(say(clerk, b"d3Jvbmc=\r\n")) == ["535 5.7.8"]
        assert clerk.events[-1] == Auth("LOGIN", "", "user", "wrong")
        assert clerk.server.authenticated is None

    @pytest.mark.parametrize(
        ("line", "answer"),
        [
            (b"AUTH CRAM-MD5", "504 5.5.4"),
            (b"AUTH", "504 5.5.4"),
            (b"AUTH PLAIN =", "501 5.5.2"),
            (b"AUTH PLAIN !!!", "501 5.5.2"),
            (b"AUTH PLAIN\r\n*", "501 5.7.0"),
            (b"AUTH PLAIN\r\n", "501 5.5.2"),
            (b"AUTH PLAIN\r\nQUIT ", "501 5.5.2"),
        ],
    )
    def test_refused(self, line: bytes, answer: str) -> None:
        clerk = serving(secure=True, auth=("PLAIN",))
        say(clerk, b"EHLO x\r\n")
        assert codes(say(clerk, line + b"\r\n"))[-1] == answer
        assert codes(say(clerk, b"MAIL FROM:<>\r\n")) == ["250 2.1.0"]

    def test_not_in_plain_text(self) -> None:
        clerk = serving(auth=("PLAIN",))
        say(clerk, b"EHLO x\r\n")
        assert codes(say(clerk, b"AUTH PLAIN " + self.PLAIN + b"\r\n")) == ["538 5.7.11"]
        assert not any(isinstance(event, Auth) for event in clerk.events)

    def test_not_in_a_transaction(self) -> None:
        clerk = serving(secure=True, auth=("PLAIN",))
        say(clerk, b"EHLO x\r\nMAIL FROM:<>\r\n")
        assert codes(say(clerk, b"AUTH PLAIN\r\n")) == ["503 5.5.1"]

    def test_long_lines_are_for_auth_alone(self) -> None:
        clerk = serving(secure=True, auth=("PLAIN",))
        say(clerk, b"EHLO x\r\n")
        assert codes(say(clerk, b"AUTH PLAIN " + b"A" * 12000 + b"\r\n")) == ["501 5.5.2"]
        assert codes(say(clerk, b"AUTH PLAIN " + b"A" * 13000 + b"\r\n")) == ["500 5.5.2"]
        assert codes(say(clerk, b"NOOP " + b"A" * 3000 + b"\r\n")) == ["500 5.5.2"]
        say(clerk, b"AUTH PLAIN\r\n")
        assert codes(say(clerk, b"A" * 13000 + b"\r\n")) == ["500 5.5.6"]
        assert codes(say(clerk, b"NOOP\r\n")) == ["250 2.0.0"]


class TestLimits:
    def test_eight_mebibytes_in_one_line(self) -> None:
        clerk = serving()
        assert say(clerk, b"A" * 65536) == b""
        assert clerk.server.buffered <= 2048
        assert codes(say(clerk, b"A" * 65536)) == ["500 5.5.2"]
        assert clerk.events == [Closed("a line without an end")]

    def test_a_line_too_long_is_refused_once_at_its_end(self) -> None:
        clerk = serving()
        for _ in range(10):
            assert say(clerk, b"A" * 6000) == b""
            assert clerk.server.buffered <= 2048
        assert codes(say(clerk, b"\r\nNOOP\r\n")) == ["500 5.5.2", "250 2.0.0"]

    def test_too_many_errors(self) -> None:
        clerk = serving(max_errors=3)
        assert codes(say(clerk, b"FOO\r\n" * 9)) == ["500 5.5.1"] * 3 + ["421 4.7.0"]
        assert clerk.events == [Closed("too many errors")]

    def test_harvest_of_addresses(self) -> None:
        clerk = serving(max_errors=3)
        say(clerk, b"EHLO x\r\nMAIL FROM:<>\r\n")
        answer = say(clerk, b"RCPT TO:<nobody@b>\r\n" * 9)
        assert codes(answer) == ["550 5.1.1"] * 3 + ["421 4.7.0"]

    def test_an_accepted_message_forgives(self) -> None:
        clerk = serving(max_errors=2)
        say(clerk, b"EHLO x\r\n")
        for _ in range(3):
            say(clerk, b"FOO\r\nMAIL FROM:<>\r\nRCPT TO:<nobody@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n")
            assert codes(say(clerk, b".\r\n")) == ["250 2.0.0"]

    def test_a_refused_message_is_refused_not_put_off(self) -> None:
        clerk = serving(max_errors=0)
        say(clerk, b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n")
        assert codes(say(clerk, b"virus\r\n.\r\nFOO\r\n")) == ["550 5.7.1", "421 4.7.0"]

    def test_chatter(self) -> None:
        clerk = serving(max_idle_commands=5)
        assert codes(say(clerk, b"NOOP\r\n" * 9)) == ["250 2.0.0"] * 5 + ["421 4.7.0"]

    def test_chunks_out_of_order_are_errors(self) -> None:
        clerk = serving(max_errors=3)
        say(clerk, b"EHLO x\r\n")
        assert codes(say(clerk, b"BDAT 0 LAST\r\n" * 9))[-1] == "421 4.7.0"

    @pytest.mark.parametrize("line", [b"GET / HTTP/1.1", b"POST / HTTP/1.1", b"Host: x"])
    def test_http(self, line: bytes) -> None:
        clerk = serving()
        body = b"\r\n\r\nEHLO x\r\nMAIL FROM:<>\r\n"
        assert codes(say(clerk, line + body)) == ["421 4.7.0"]


class TestLineEnds:
    def test_what_a_bare_line_feed_ends_is_not_obeyed(self) -> None:
        clerk = serving()
        say(clerk, b"EHLO x\r\n")
        answer = say(clerk, b"NOOP\nMAIL FROM:<evil@x>\nRSET\r\nNOOP\r\n")
        assert codes(answer) == ["500 5.5.2"] * 3 + ["250 2.0.0"]
        assert clerk.server.envelope is None


def test_verify_carries_the_argument() -> None:
    clerk = serving()
    say(clerk, b"VRFY Smith J\r\n")
    assert clerk.events == [Verify("Smith J")]
