from base64 import b64encode
from collections.abc import Callable

import pytest

from postroad.model import Address, Body, Envelope, Notify, Recipient, Reply, Ret
from postroad.wire.smtp import (
    AuthDone,
    ClientEvent,
    DataReady,
    EndDone,
    Greeting,
    HelloDone,
    LocalProtocolError,
    Lost,
    MailDone,
    Phase,
    QuitDone,
    RcptDone,
    ResetDone,
    SMTPClient,
    TlsReady,
    TlsRefused,
    TransactionFailed,
)
from tests.unit.wire.sasl.test_scram import CLIENT_FINAL, SERVER_FIRST, SIGNATURE
from tests.unit.wire.smtp.dialogue import envelope, recipients

OK = Reply(250, "", "OK")


class Talk:
    """A client and what a server says to it, word for word."""

    def __init__(
        self, *offers: str, lmtp: bool = False, secure: bool = False, prefer_chunking: bool = False
    ) -> None:
        self.client = SMTPClient(
            "client.example", 0.0, lmtp=lmtp, secure=secure, prefer_chunking=prefer_chunking
        )
        self.hear("220 mx.example\r\n")
        self.client.hello(0.0)
        self.client.bytes_to_send()
        lines = ["mx.example", *offers]
        last = len(lines) - 1
        self.hear("".join(f"250{' -'[n < last]}{line}\r\n" for n, line in enumerate(lines)))

    def hear(self, text: str, now: float = 1.0) -> list[ClientEvent]:
        self.client.receive_data(text.encode(), now)
        return self.events()

    def events(self) -> list[ClientEvent]:
        found = []
        while (event := self.client.next_event()) is not None:
            found.append(event)
        return found

    def said(self) -> str:
        return self.client.bytes_to_send().decode()

    def mail(self, *texts: str, plain: bool = False) -> None:
        self.client.mail(envelope(), recipients(*texts), 10, 1.0, plain=plain)


def fresh(lmtp: bool = False) -> SMTPClient:
    client = SMTPClient("client.example", 0.0, lmtp=lmtp)
    client.receive_data(b"220 hi\r\n", 0.0)
    assert client.next_event() == Greeting(Reply(220, "", "hi"))
    return client


class TestHello:
    def test_extensions(self) -> None:
        talk = Talk("SIZE 1000", "PIPELINING", "LIMITS RCPTMAX=5 MAILMAX=x", "AUTH PLAIN")
        assert talk.client.extensions["SIZE"] == "1000"
        assert talk.client.max_size == 1000
        assert talk.client.limits == {"RCPTMAX": 5}

    @pytest.mark.parametrize("size", ["SIZE", "SIZE 0", "SIZE x", "SIZE ²"])
    def test_no_size(self, size: str) -> None:
        assert Talk(size).client.max_size is None

    @pytest.mark.parametrize("code", [500, 502, 550])
    def test_falls_back_to_helo(self, code: int) -> None:
        client = fresh()
        client.hello(0.0)
        assert client.bytes_to_send() == b"EHLO client.example\r\n"
        client.receive_data(b"%d what?\r\n" % code, 1.0)
        assert client.next_event() is None
        assert client.bytes_to_send() == b"HELO client.example\r\n"
        client.receive_data(b"250 mx\r\n", 1.0)
        assert client.next_event() == HelloDone(Reply(250, "", "mx"))
        assert client.extensions == {}

    def test_not_with_lmtp(self) -> None:
        client = fresh(lmtp=True)
        client.hello(0.0)
        assert client.bytes_to_send() == b"LHLO client.example\r\n"
        client.receive_data(b"500 what?\r\n", 1.0)
        assert client.next_event() == HelloDone(Reply(500, "", "what?"))

    def test_421(self) -> None:
        client = fresh()
        client.hello(0.0)
        client.receive_data(b"421 busy\r\n", 1.0)
        assert client.next_event() == HelloDone(Reply(421, "", "busy"))
        assert client.closing

    @pytest.mark.parametrize("name", ["", "a b", "a\r\nMAIL FROM:<x>"])
    def test_name_that_cannot_be_said(self, name: str) -> None:
        client = SMTPClient(name, 0.0)
        client.receive_data(b"220 hi\r\n", 0.0)
        client.next_event()
        with pytest.raises(LocalProtocolError):
            client.hello(0.0)


class TestTls:
    def test_start(self) -> None:
        talk = Talk("STARTTLS", "PIPELINING")
        talk.client.starttls(1.0)
        assert talk.said() == "STARTTLS\r\n"
        assert talk.hear("220 go\r\n") == [TlsReady(Reply(220, "", "go"))]
        with pytest.raises(LocalProtocolError):
            talk.client.hello(1.0)
        talk.client.tls_started(2.0)
        assert talk.client.secure
        assert talk.client.extensions == {}
        with pytest.raises(LocalProtocolError):
            talk.mail("a@b")
        talk.client.hello(2.0)

    @pytest.mark.parametrize("extra", ["2", "250 mx\r\n", "\r\n"])
    def test_injected_reply(self, extra: str) -> None:
        talk = Talk("STARTTLS")
        talk.client.starttls(1.0)
        [event] = talk.hear("220 go\r\n" + extra)
        assert isinstance(event, Lost)
        assert event.phase is Phase.TLS
        assert talk.client.closing

    def test_injected_reply_in_a_piece_of_its_own(self) -> None:
        talk = Talk("STARTTLS")
        talk.client.starttls(1.0)
        talk.hear("220 go\r\n")
        [event] = talk.hear("250-mx\r\n")
        assert isinstance(event, Lost)
        assert event.phase is Phase.TLS

    def test_refused(self) -> None:
        talk = Talk("STARTTLS")
        talk.client.starttls(1.0)
        assert talk.hear("454 4.7.0 no\r\n") == [TlsRefused(Reply(454, "4.7.0", "no"))]
        talk.mail("a@b")

    def test_twice(self) -> None:
        with pytest.raises(LocalProtocolError):
            Talk("STARTTLS", secure=True).client.starttls(1.0)
        with pytest.raises(LocalProtocolError):
            Talk("STARTTLS").client.tls_started(1.0)


class TestAuth:
    def test_plain_is_preferred(self) -> None:
        talk = Talk("AUTH LOGIN PLAIN", secure=True)
        talk.client.auth("user", "secret", 1.0)
        assert talk.said() == "AUTH PLAIN AHVzZXIAc2VjcmV0\r\n"
        assert talk.hear("235 2.7.0 yes\r\n") == [AuthDone(Reply(235, "2.7.0", "yes"))]

    def test_login(self) -> None:
        talk = Talk("AUTH LOGIN", secure=True)
        talk.client.auth("user", "secret", 1.0)
        assert talk.said() == "AUTH LOGIN\r\n"
        assert talk.hear("334 VXNlcm5hbWU6\r\n") == []
        assert talk.said() == "dXNlcg==\r\n"
        assert talk.hear("334 UGFzc3dvcmQ6\r\n") == []
        assert talk.said() == "c2VjcmV0\r\n"
        assert talk.hear("535 5.7.8 no\r\n") == [AuthDone(Reply(535, "5.7.8", "no"))]

    def test_server_that_asks_for_too_much(self) -> None:
        talk = Talk("AUTH PLAIN", secure=True)
        talk.client.auth("user", "secret", 1.0)
        talk.said()
        talk.hear("334 more\r\n")
        assert talk.said() == "*\r\n"
        assert talk.hear("501 cancelled\r\n") == [AuthDone(Reply(501, "", "cancelled"))]

    def test_server_that_never_ends_asking(self) -> None:
        talk = Talk("AUTH PLAIN", secure=True)
        talk.client.auth("user", "secret", 1.0)
        assert talk.hear("334 more\r\n") == []
        [event] = talk.hear("334 and more\r\n334 and more\r\n")
        assert isinstance(event, Lost)
        assert event.phase is Phase.AUTH

    def test_scram_with_a_nonce(self) -> None:
        talk = Talk("AUTH PLAIN SCRAM-SHA-256", secure=True)
        talk.client.auth("user", "pencil", 1.0, nonce="rOprNGfwEbeRWgbNEkqO")
        first = b64encode(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO").decode()
        assert talk.said() == f"AUTH SCRAM-SHA-256 {first}\r\n"
        assert talk.hear(f"334 {b64encode(SERVER_FIRST.encode()).decode()}\r\n") == []
        assert talk.said() == f"{b64encode(CLIENT_FINAL.encode()).decode()}\r\n"
        assert talk.hear(f"334 {b64encode(f'v={SIGNATURE}'.encode()).decode()}\r\n") == []
        assert talk.said() == "\r\n"
        assert talk.hear("235 2.7.0 yes\r\n") == [AuthDone(Reply(235, "2.7.0", "yes"))]

    @pytest.mark.parametrize(
        "answers",
        [
            ("235 2.7.0 yes",),
            (f"334 {b64encode(SERVER_FIRST.encode()).decode()}", "235 2.7.0 yes"),
            (f"334 {b64encode(SERVER_FIRST.encode()).decode()}", "334 dj1BQUFB", "235 2.7.0 yes"),
        ],
    )
    def test_a_server_that_does_not_know_the_password(self, answers: tuple[str, ...]) -> None:
        talk = Talk("AUTH SCRAM-SHA-256", secure=True)
        talk.client.auth("user", "pencil", 1.0, nonce="rOprNGfwEbeRWgbNEkqO")
        *earlier, last = [talk.hear(f"{answer}\r\n") for answer in answers]
        assert all(events == [] for events in earlier)
        [event] = last
        assert isinstance(event, Lost)
        assert "did not prove" in str(event)

    def test_no_password_in_plain_text(self) -> None:
        talk = Talk("AUTH PLAIN")
        with pytest.raises(LocalProtocolError):
            talk.client.auth("user", "secret", 1.0)
        talk.client.auth("user", "secret", 1.0, allow_plaintext=True)

    def test_nothing_in_common(self) -> None:
        with pytest.raises(LocalProtocolError):
            Talk("AUTH CRAM-MD5", secure=True).client.auth("user", "secret", 1.0)


class TestPipelined:
    def test_one_group(self) -> None:
        talk = Talk("PIPELINING")
        talk.mail("a@b", "c@d")
        assert talk.said() == (
            "MAIL FROM:<a@client.example>\r\nRCPT TO:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"
        )
        events = talk.hear("250 OK\r\n550 5.1.1 no\r\n250 OK\r\n354 go\r\n")
        assert events == [
            MailDone(OK),
            RcptDone(0, Reply(550, "5.1.1", "no")),
            RcptDone(1, OK),
            DataReady(),
        ]
        talk.client.body(b".a\r\nb", 1.0)
        talk.client.end(1.0)
        assert talk.said() == "..a\r\nb\r\n.\r\n"
        assert talk.hear("250 OK\r\n") == [EndDone(OK)]

    def test_sender_refused(self) -> None:
        talk = Talk("PIPELINING")
        talk.mail("a@b")
        events = talk.hear("451 4.3.0 later\r\n503 what\r\n503 what\r\n")
        refusal = Reply(451, "4.3.0", "later")
        assert events == [MailDone(refusal), TransactionFailed(refusal)]
        talk.said()
        talk.mail("a@b")
        assert talk.said().startswith("MAIL")

    def test_all_recipients_refused(self) -> None:
        talk = Talk("PIPELINING")
        talk.mail("a@b")
        no = Reply(550, "", "no")
        events = talk.hear("250 OK\r\n550 no\r\n554 none\r\n")
        assert events == [MailDone(OK), RcptDone(0, no), TransactionFailed(no)]
        talk.said()
        # the server still has the sender, so the next transaction begins with RSET
        talk.mail("c@d")
        assert talk.said().startswith("RSET\r\nMAIL")
        assert talk.hear("250 OK\r\n250 OK\r\n") == [MailDone(OK)]

    @pytest.mark.parametrize("mail", ["250 OK", "550 no"])
    def test_354_without_recipient(self, mail: str) -> None:
        talk = Talk("PIPELINING")
        talk.mail("a@b")
        talk.said()
        events = talk.hear(f"{mail}\r\n550 no\r\n354 go\r\n")
        assert not any(isinstance(event, DataReady | TransactionFailed) for event in events)
        assert talk.said() == ".\r\n"
        assert talk.hear("554 empty\r\n") == [TransactionFailed(Reply(550, "", "no"))]
        talk.mail("a@b")
        assert talk.said().startswith("MAIL")

    def test_data_refused(self) -> None:
        talk = Talk("PIPELINING")
        talk.mail("a@b")
        events = talk.hear("250 OK\r\n250 OK\r\n451 4.3.0 no\r\n")
        assert events[-1] == TransactionFailed(Reply(451, "4.3.0", "no"))

    def test_next_envelope_behind_the_dot(self) -> None:
        talk = Talk("PIPELINING")
        talk.mail("a@b")
        talk.hear("250 OK\r\n250 OK\r\n354 go\r\n")
        talk.said()
        talk.client.body(b"x\r\n", 1.0)
        talk.client.end(1.0)
        talk.mail("c@d")
        assert talk.said().startswith("x\r\n.\r\nMAIL")
        with pytest.raises(LocalProtocolError):
            talk.client.body(b"y", 1.0)
        events = talk.hear("451 4.3.0 full\r\n250 OK\r\n250 OK\r\n354 go\r\n")
        assert [type(event) for event in events] == [EndDone, MailDone, RcptDone, DataReady]
        talk.client.end(1.0)
        assert talk.said() == ".\r\n"


class TestStepByStep:
    def test_each_command_waits(self) -> None:
        talk = Talk()
        talk.mail("a@b", "c@d")
        assert talk.said() == "MAIL FROM:<a@client.example>\r\n"
        assert talk.hear("250 OK\r\n") == [MailDone(OK)]
        assert talk.said() == "RCPT TO:<a@b>\r\n"
        talk.hear("550 no\r\n")
        assert talk.said() == "RCPT TO:<c@d>\r\n"
        talk.hear("250 OK\r\n")
        assert talk.said() == "DATA\r\n"
        assert talk.hear("354 go\r\n") == [DataReady()]
        talk.client.end(1.0)
        with pytest.raises(LocalProtocolError):
            talk.mail("a@b")

    def test_sender_refused(self) -> None:
        talk = Talk()
        talk.mail("a@b")
        talk.said()
        no = Reply(550, "", "no")
        assert talk.hear("550 no\r\n") == [MailDone(no), TransactionFailed(no)]
        assert talk.said() == ""

    def test_all_recipients_refused(self) -> None:
        talk = Talk()
        talk.mail("a@b")
        talk.hear("250 OK\r\n")
        no = Reply(550, "", "no")
        assert talk.hear("550 no\r\n") == [RcptDone(0, no), TransactionFailed(no)]
        talk.said()
        talk.client.reset(1.0)
        assert talk.said() == "RSET\r\n"
        assert talk.hear("250 OK\r\n") == [ResetDone(OK)]
        talk.client.quit(1.0)
        assert talk.said() == "QUIT\r\n"
        assert talk.hear("221 bye\r\n") == [QuitDone(Reply(221, "", "bye"))]
        assert talk.client.closing


class TestParameters:
    def test_all(self) -> None:
        talk = Talk("PIPELINING", "SIZE", "8BITMIME", "DSN", "SMTPUTF8")
        given = Envelope(
            Address("é", "b"), body=Body.EIGHT_BIT_MIME, ret=Ret.HEADERS, envid="q+201"
        )
        to = [Recipient(Address("c", "d"), Notify.SUCCESS | Notify.DELAY, "rfc822;x@y")]
        talk.client.mail(given, to, 99, 1.0)
        assert talk.said().split("\r\n")[:2] == [
            "MAIL FROM:<é@b> SIZE=99 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=q+201",
            "RCPT TO:<c@d> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x@y",
        ]

    def test_missing_extensions(self) -> None:
        client = Talk("PIPELINING").client
        to = recipients("a@b")
        missing = client.missing_extension
        assert missing(envelope(), to, ascii_headers=True) is None
        assert missing(Envelope(None, smtputf8=True), to, ascii_headers=True) is None
        assert missing(Envelope(None, smtputf8=True), to, ascii_headers=False) == "SMTPUTF8"
        assert missing(envelope(), recipients("é@b"), ascii_headers=True) == "SMTPUTF8"
        assert missing(Envelope(None, body=Body.EIGHT_BIT_MIME), to, True) == "8BITMIME"
        assert missing(Envelope(None, body=Body.BINARY_MIME), to, True) == "BINARYMIME"
        client = Talk("SMTPUTF8", "8BITMIME", "BINARYMIME").client
        assert client.missing_extension(envelope("é@b"), to, False) is None
        assert (
            client.missing_extension(Envelope(None, body=Body.BINARY_MIME), to, True) == "CHUNKING"
        )

    def test_what_cannot_be_said_is_not_begun(self) -> None:
        talk = Talk("PIPELINING")
        for to in ([], recipients("é@b"), [Recipient(Address("a\r\nb", "c"))]):
            with pytest.raises(LocalProtocolError):
                talk.client.mail(envelope(), to, 1, 1.0)
        with pytest.raises(LocalProtocolError):
            talk.client.mail(Envelope(None, body=Body.BINARY_MIME), recipients("a@b"), 1, 1.0)
        assert talk.said() == ""
        talk.mail("a@b")


class TestBody:
    def ready(self, *offers: str, **settings: bool) -> Talk:
        talk = Talk("PIPELINING", *offers, **settings)
        talk.mail("a@b", "c@d")
        talk.hear("250 OK\r\n250 OK\r\n250 OK\r\n")
        if not settings.get("prefer_chunking"):
            talk.hear("354 go\r\n")
        talk.said()
        return talk

    @pytest.mark.parametrize(
        "send",
        [
            lambda client: client.body(b"a\nb", 1.0),
            lambda client: client.body(b"a\r", 1.0) or client.body(b"b", 1.0),
            lambda client: client.body(b"a\r", 1.0) or client.end(1.0),
        ],
    )
    @pytest.mark.parametrize("chunking", [False, True])
    def test_bare_line_breaks_never_leave(
        self, send: Callable[[SMTPClient], None], chunking: bool
    ) -> None:
        talk = self.ready("CHUNKING", prefer_chunking=chunking)
        with pytest.raises(LocalProtocolError):
            send(talk.client)
        assert talk.client.closing
        assert talk.said() in ("", "a")

    @pytest.mark.parametrize("chunking", [False, True])
    def test_a_plain_message_goes_out_as_it_is(self, chunking: bool) -> None:
        talk = Talk("PIPELINING", "CHUNKING", prefer_chunking=chunking)
        talk.mail("a@b", plain=True)
        talk.hear("250 OK\r\n250 OK\r\n354 go\r\n"[: 16 if chunking else None])
        talk.said()
        body = b"a.\r\nb"
        talk.client.body(body, 1.0)
        talk.client.end(1.0)
        pieces = talk.client.pieces_to_send()
        if chunking:
            assert pieces == [b"BDAT 7 LAST\r\na.\r\nb\r\n"]
        else:
            assert pieces == [body, b"\r\n.\r\n"]
            assert pieces[0] is body

    def test_vouching_holds_for_one_message(self) -> None:
        talk = Talk("PIPELINING")
        for plain in (True, False):
            talk.mail("a@b", plain=plain)
            talk.hear("250 OK\r\n250 OK\r\n354 go\r\n")
            talk.said()
            talk.client.body(b".x\r\n", 1.0)
            talk.client.end(1.0)
            assert talk.said() == (".x\r\n.\r\n" if plain else "..x\r\n.\r\n")
            talk.hear("250 OK\r\n")

    def test_not_before_data_ready(self) -> None:
        talk = Talk("PIPELINING")
        with pytest.raises(LocalProtocolError):
            talk.client.body(b"x", 1.0)
        with pytest.raises(LocalProtocolError):
            talk.client.end(1.0)

    def test_refused_before_its_end(self) -> None:
        talk = self.ready()
        talk.client.body(b"x" * 100, 1.0)
        big = Reply(552, "5.3.4", "too big")
        assert talk.hear("552 5.3.4 too big\r\n") == [EndDone(big)]
        assert talk.client.closing
        talk.said()
        talk.client.body(b"more", 1.0)
        talk.client.end(1.0)
        assert talk.said() == ""

    def test_accepted_before_its_end_is_no_acceptance(self) -> None:
        talk = self.ready()
        [event] = talk.hear("250 OK\r\n")
        assert isinstance(event, Lost)
        assert event.phase is Phase.BODY

    def test_chunks(self) -> None:
        talk = self.ready("CHUNKING", prefer_chunking=True)
        talk.client.body(b"x" * 70000, 1.0)
        assert talk.said().startswith("BDAT 70000\r\nx")
        talk.client.body(b".\r\n", 1.0)
        talk.client.end(1.0)
        assert talk.said() == "BDAT 3 LAST\r\n.\r\n"
        assert talk.hear("250 OK\r\n250 OK\r\n") == [EndDone(OK)]

    def test_chunks_that_end_with_a_line_end_get_no_other(self) -> None:
        talk = self.ready("CHUNKING", prefer_chunking=True)
        talk.client.body(b"x" * 70000 + b"\r\n", 1.0)
        talk.said()
        talk.client.end(1.0)
        assert talk.said() == "BDAT 0 LAST\r\n"

    def test_refused_chunk(self) -> None:
        talk = self.ready("CHUNKING", prefer_chunking=True)
        talk.client.body(b"x" * 70000, 1.0)
        talk.client.body(b"x" * 70000, 1.0)
        talk.said()
        big = Reply(552, "", "too big")
        assert talk.hear("552 too big\r\n") == [EndDone(big)]
        talk.client.body(b"x", 1.0)
        talk.client.end(1.0)
        assert talk.said() == ""
        assert talk.hear("503 what\r\n") == []
        talk.mail("a@b")
        assert talk.said().startswith("RSET\r\nMAIL")

    def test_refused_last_chunk_is_reset(self) -> None:
        talk = self.ready("CHUNKING", prefer_chunking=True)
        talk.client.end(1.0)
        assert talk.hear("550 no\r\n") == [EndDone(Reply(550, "", "no"))]
        talk.said()
        talk.mail("a@b")
        assert talk.said().startswith("RSET\r\nMAIL")

    def test_binary(self) -> None:
        talk = Talk("PIPELINING", "CHUNKING", "BINARYMIME")
        talk.client.mail(Envelope(None, body=Body.BINARY_MIME), recipients("a@b"), 3, 1.0)
        assert talk.said() == "MAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<a@b>\r\n"
        talk.hear("250 OK\r\n250 OK\r\n")
        talk.client.body(b"\n\r\0", 1.0)
        talk.client.end(1.0)
        assert talk.said() == "BDAT 3 LAST\r\n\n\r\0"


class TestLmtp:
    def test_a_reply_for_each_accepted(self) -> None:
        talk = Talk("PIPELINING", lmtp=True)
        talk.mail("a@b", "c@d", "e@f")
        talk.hear("250 OK\r\n250 OK\r\n550 no\r\n250 OK\r\n354 go\r\n")
        talk.client.end(1.0)
        talk.said()
        assert talk.hear("250 OK\r\n") == [EndDone(OK, 0)]
        assert talk.hear("452 full\r\n") == [EndDone(Reply(452, "", "full"), 2)]
        talk.mail("a@b")

    def test_421_answers_for_all(self) -> None:
        talk = Talk("PIPELINING", lmtp=True)
        talk.mail("a@b", "c@d")
        talk.hear("250 OK\r\n250 OK\r\n250 OK\r\n354 go\r\n")
        talk.client.end(1.0)
        talk.said()
        bye = Reply(421, "", "bye")
        assert talk.hear("421 bye\r\n") == [EndDone(bye, 0), EndDone(bye, 1)]
