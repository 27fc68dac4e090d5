"""Whatever either side hears, it neither raises nor grows, and it keeps its promises."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from postroad.wire.smtp import Closed, DataEnd, DataReady, Lost, Mail, SMTPClient, SMTPServer
from tests.unit.wire.smtp.dialogue import Clerk, config, envelope, recipients

TO_SERVER = st.lists(
    st.one_of(
        st.sampled_from(
            [
                b"EHLO x\r\n",
                b"HELO x\r\n",
                b"LHLO x\r\n",
                b"MAIL FROM:<a@b>\r\n",
                b"MAIL FROM:<> SIZE=5 BODY=8BITMIME SMTPUTF8\r\n",
                b"RCPT TO:<a@b>\r\n",
                b"RCPT TO:<nobody@b>\r\n",
                b"DATA\r\n",
                b"BDAT 3\r\na\r\n",
                b"BDAT 5 LAST\r\n\r\n.\r\n",
                b"BDAT 0 LAST\r\n",
                b"BDAT 99999\r\n",
                b"BDAT\r\n",
                b".\r\n",
                b"text\r\n",
                b"\r\n.\r\n",
                b"RSET\r\n",
                b"NOOP\r\n",
                b"QUIT\r\n",
                b"AUTH PLAIN\r\n",
                b"AUTH LOGIN dXNlcg==\r\n",
                b"c2VjcmV0\r\n",
                b"*\r\n",
                b"VRFY x\r\n",
                b"\n",
                b"\r",
            ]
        ),
        st.binary(max_size=6),
    ),
    max_size=25,
)
TO_CLIENT = st.lists(
    st.one_of(
        st.sampled_from(
            [
                b"220 hi\r\n",
                b"250-mx\r\n250 PIPELINING\r\n",
                b"250-mx\r\n250-CHUNKING\r\n250 SIZE 9\r\n",
                b"250 OK\r\n",
                b"354 go\r\n",
                b"334 \r\n",
                b"421 bye\r\n",
                b"450 later\r\n",
                b"550 5.1.1 no\r\n",
                b"221 bye\r\n",
                b"250-",
                b"\r\n",
            ]
        ),
        st.binary(max_size=4),
    ),
    max_size=14,
)


@given(TO_SERVER, st.booleans(), st.lists(st.integers(0, 20), max_size=20), st.booleans())
@settings(max_examples=150, deadline=None)
def test_server(pieces: list[bytes], lmtp: bool, joints: list[int], hang_up: bool) -> None:
    server = SMTPServer(
        config(lmtp=lmtp, auth=("PLAIN", "LOGIN"), auth_without_tls=True, max_message_octets=50),
        0.0,
    )
    clerk = Clerk(server)
    clerk.work()
    edges = sorted({0, len(pieces), *(joint % (len(pieces) + 1) for joint in joints)})
    for start, end in pairwise(edges):
        server.receive_data(b"".join(pieces[start:end]), 1.0)
        clerk.work()
        assert server.closing or server.deadline() is not None
        for line in server.bytes_to_send().split(b"\r\n")[:-1]:
            assert len(line) <= 510
            assert line[:3].isdigit()
    if hang_up:
        server.receive_eof()
        clerk.work()
        assert isinstance(clerk.events[-1], Closed)
    assert len(clerk.messages) == sum(isinstance(event, DataEnd) for event in clerk.events)
    assert len(clerk.messages) <= sum(isinstance(event, Mail) for event in clerk.events)
    for message in clerk.messages:
        assert message.envelope.recipients
        assert len(message.body) <= 50


@given(TO_CLIENT, st.booleans(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_client(pieces: list[bytes], lmtp: bool, chunking: bool) -> None:
    client = SMTPClient("x", 0.0, lmtp=lmtp, prefer_chunking=chunking)
    lost = 0
    for piece in (b"220 hi\r\n", *pieces):
        client.receive_data(piece, 1.0)
        while (event := client.next_event()) is not None:
            assert not lost, "nothing follows Lost"
            lost += isinstance(event, Lost)
            if isinstance(event, DataReady):
                client.body(b"x\r\n.", 1.0)
                client.end(1.0)
        client.bytes_to_send()
        if client.closing or client.deadline() is not None:
            continue
        if client._state.value == "Greeted":
            client.hello(1.0)
        elif client._state.value != "Unavailable":
            client.mail(envelope(), recipients("a@b", "c@d"), 5, 1.0)
    client.receive_eof()
    while client.next_event() is not None:
        pass
    assert client.closing
    assert client.deadline() is None
