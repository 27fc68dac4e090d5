"""Each peer is started and used as the other tests and the benchmark will use it."""

import poplib
import smtplib
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from peers.dns import Knot, Unbound
from peers.dovecot import Dovecot, generated_messages
from peers.postfix import ByDns, Discard, Maildirs, Postfix, Relay, Routes
from peers.smtp_tools import SmtpSink, smtp_source
from peers.tools import (
    MissingTool,
    PeerFailed,
    Process,
    accepts,
    find,
    free_port,
    private_directory,
    wait_until,
)

Require = Callable[[str], Path]

MESSAGE = b"From: a@sender.test\r\nSubject: one\r\n\r\n.A line with a dot\r\nand \xc3\xbc\r\n"


# --- tools


def test_a_missing_program_names_its_package() -> None:
    with pytest.raises(MissingTool, match="apt-get install no-such-program"):
        find("no-such-program")


def test_a_process_ends_with_all_that_it_started(tmp_path: Path) -> None:
    children = tmp_path / "children"
    script = f"sleep 60 & echo $! > {children}; wait"
    with Process(["sh", "-c", script], tmp_path / "log") as process:
        wait_until(lambda: children.exists() and children.read_text() != "", 5, "the child")
        assert process.running
    assert not process.running
    child = int(children.read_text())
    wait_until(lambda: not _alive(child), 5, "the child to be gone")


def _alive(pid: int) -> bool:
    try:
        # A zombie waits for whoever adopted it, and that is no business of ours.
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def test_a_process_that_dies_shows_its_log(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo cannot bind; exit 3"]
    with (
        Process(command, tmp_path / "log") as process,
        pytest.raises(PeerFailed, match="cannot bind"),
    ):
        process.wait_for_port("127.0.0.1", free_port())
    assert process.stop() == 3


def test_a_private_directory_is_gone_afterwards() -> None:
    with private_directory("example") as directory:
        directory.joinpath("file").touch()
    assert not directory.exists()


def test_a_port_that_is_taken_is_refused() -> None:
    with socket.create_server(("127.0.0.8", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PeerFailed, match="in use"):
            SmtpSink("127.0.0.8", port)
    assert SmtpSink("127.0.0.8", port).port == port


# --- Postfix, smtp-source and smtp-sink


def test_postfix_delivers_into_maildirs(require: Require) -> None:
    swaks = require("swaks")
    with Postfix("127.0.0.9", local=Maildirs(["receiver.test"], ["bob", "eve"])) as postfix:
        server = ("--server", postfix.address, "--port", str(postfix.port))
        envelope = ("--from", "a@sender.test", "--to", "bob@receiver.test")
        done = subprocess.run(
            [swaks, *server, *envelope, "--body", "from swaks"], capture_output=True, timeout=20
        )
        assert done.returncode == 0, done.stdout
        with smtplib.SMTP(postfix.address, postfix.port) as client:
            refused = client.sendmail(
                "a@sender.test", ["eve@receiver.test", "nobody@receiver.test"], MESSAGE
            )
            assert list(refused) == ["nobody@receiver.test"]
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                client.sendmail("a@sender.test", ["x@elsewhere.test"], MESSAGE)
        postfix.wait_until_queue_empty()
        assert postfix.queue() == []
        assert postfix.count("receiver.test") == 2
        (message,) = postfix.messages("bob", "receiver.test")
        assert b"from swaks" in message
        (message,) = postfix.messages("eve", "receiver.test")
        assert message.startswith(b"Return-Path: <a@sender.test>\n")
        assert message.endswith(MESSAGE.replace(b"\r\n", b"\n"))
        postfix.wait_for_log("removed")
        directory = postfix.directory
    assert not directory.exists()
    assert not accepts("127.0.0.9", postfix.port)


def test_postfix_speaks_its_extensions_and_takes_any_user() -> None:
    with Postfix("127.0.0.9", local=Maildirs(["receiver.test"])) as postfix:
        with smtplib.SMTP(postfix.address, postfix.port) as client:
            client.ehlo("sender.test")
            for extension in ("8bitmime", "smtputf8", "chunking", "dsn", "pipelining"):
                assert client.has_extn(extension), extension
            client.sendmail("a@sender.test", ["bob@receiver.test"], MESSAGE)
            client.sendmail(
                "jürgen@sender.test", ["zoë@receiver.test"], MESSAGE, ["SMTPUTF8", "BODY=8BITMIME"]
            )
        postfix.sendmail("", ["bob@receiver.test"], MESSAGE)
        wait_until(lambda: len(postfix.maildir("bob", "receiver.test")) == 2, 10, "two for bob")
        wait_until(lambda: len(postfix.maildir("zoë", "receiver.test")) == 1, 10, "one for zoë")
        assert postfix.messages("bob", "receiver.test")[1].startswith(b"Return-Path: <>\n")
        assert postfix.maildir("nobody", "receiver.test") == []


def test_postfix_discards_what_smtp_source_sends() -> None:
    with Postfix("127.0.0.9", outbound=Discard()) as postfix:
        sent = smtp_source(
            postfix.address, postfix.port, sessions=5, messages=50, length_bytes=4096
        )
        assert sent.messages == 50
        assert sent.messages_per_second > 0
        postfix.wait_until_queue_empty()
        wait_until(lambda: postfix.log().count("status=sent") == 50, 5, "50 to be discarded")


def test_smtp_source_reports_a_refusal() -> None:
    with Postfix("127.0.0.9") as postfix, pytest.raises(PeerFailed, match="Relay access denied"):
        smtp_source(postfix.address, postfix.port, recipient="x@elsewhere.test")


def test_postfix_relays_to_smtp_sink() -> None:
    with (
        SmtpSink("127.0.0.8", store=True) as sink,
        Postfix("127.0.0.9", outbound=Relay(sink.address, sink.port)) as postfix,
    ):
        assert sink.count == 0
        with smtplib.SMTP(postfix.address, postfix.port) as client:
            client.sendmail("a@sender.test", ["bob@receiver.test"], MESSAGE)
        postfix.wait_until_queue_empty()
        wait_until(lambda: sink.count == 1, 5, "the sink to count it")
        (message,) = sink.messages()
        assert b"X-Rcpt-Args: <bob@receiver.test>" in message
        assert b"\n.A line with a dot\n" in message


def test_postfix_keeps_deferred_mail_through_a_crash() -> None:
    port = free_port("127.0.0.8")
    outbound = Routes({"receiver.test": ("127.0.0.8", port)})
    with Postfix("127.0.0.9", outbound=outbound) as postfix:
        with SmtpSink("127.0.0.8", port, reject_soft=["RCPT"]):
            with smtplib.SMTP(postfix.address, postfix.port) as client:
                client.sendmail("a@sender.test", ["bob@receiver.test"], MESSAGE)
            wait_until(lambda: _deferred(postfix), 10, "the message to be deferred")
        (waiting,) = postfix.queue()
        assert (waiting.sender, waiting.size_bytes > 0) == ("a@sender.test", True)
        (recipient,) = waiting.recipients
        assert recipient.address == "bob@receiver.test"
        assert "450 4.3.0" in str(recipient.delay_reason)
        with pytest.raises(TimeoutError, match=r"450 4\.3\.0"):
            postfix.wait_until_queue_empty(timeout_seconds=0.1)
        postfix.kill()
        postfix.start()
        with SmtpSink("127.0.0.8", port) as sink:
            postfix.flush()
            postfix.wait_until_queue_empty()
            wait_until(lambda: sink.count == 1, 5, "the sink to count it")


def _deferred(postfix: Postfix) -> bool:
    return [message.queue_name for message in postfix.queue()] == ["deferred"]


def test_postfix_finds_its_way_by_a_private_name_server() -> None:
    machine = Path("/etc/resolv.conf").read_bytes()
    zone = "@ MX 10 mail\nmail A 127.0.0.8\n"
    with (
        Knot({"receiver.test": zone}, "127.0.0.7", 53),
        SmtpSink("127.0.0.8") as sink,
        Postfix("127.0.0.9", outbound=ByDns("127.0.0.7", sink.port)) as postfix,
    ):
        with smtplib.SMTP(postfix.address, postfix.port) as client:
            client.sendmail("a@sender.test", ["bob@receiver.test"], MESSAGE)
        postfix.wait_until_queue_empty()
        wait_until(lambda: sink.count == 1, 5, "the sink to count it")
        postfix.wait_for_log("relay=mail.receiver.test[127.0.0.8]")
        assert Path("/etc/resolv.conf").read_bytes() == machine


# --- Dovecot


def test_dovecot_serves_what_it_was_filled_with() -> None:
    with Dovecot("127.0.0.7") as dovecot:
        dovecot.fill("bob@receiver.test", 20, 1000)
        first = _uidl(dovecot, "bob@receiver.test")
        dovecot.drop_index("bob@receiver.test")
        assert _uidl(dovecot, "bob@receiver.test") == first
        dovecot.drop_index("bob@receiver.test", keep_uids=False)
        assert len(_uidl(dovecot, "bob@receiver.test")) == 20
        client = poplib.POP3(dovecot.address, dovecot.pop3_port)
        client.user("bob@receiver.test")
        client.pass_(dovecot.password)
        assert client.stat() == (20, 20_000)
        content = b"".join(line + b"\r\n" for line in client.retr(1)[1])
        assert content in generated_messages("bob@receiver.test", 20, 1000)
        client.quit()
        dovecot.empty("bob@receiver.test")
        assert _uidl(dovecot, "bob@receiver.test") == []


def _uidl(dovecot: Dovecot, user: str) -> list[bytes]:
    client = poplib.POP3(dovecot.address, dovecot.pop3_port)
    client.user(user)
    client.pass_(dovecot.password)
    lines: list[bytes] = client.uidl()[1]
    client.quit()
    return lines


def test_dovecot_takes_mail_by_lmtp_and_refuses_a_wrong_password() -> None:
    with Dovecot("127.0.0.7") as dovecot:
        client = smtplib.LMTP(dovecot.address, dovecot.lmtp_port)
        client.sendmail("a@sender.test", ["bob@receiver.test"], MESSAGE)
        client.quit()
        (message,) = dovecot.messages("bob@receiver.test")
        assert message.endswith(MESSAGE.replace(b"\r\n", b"\n"))
        pop3 = poplib.POP3(dovecot.address, dovecot.pop3_port)
        pop3.user("bob@receiver.test")
        with pytest.raises(poplib.error_proto):
            pop3.pass_("wrong")
        pop3.close()
        assert "Info:" in dovecot.log()


@pytest.mark.parametrize("size_bytes", [256, 1000, 4096])
def test_generated_messages_have_the_size_asked_for(size_bytes: int) -> None:
    messages = list(generated_messages("bob@receiver.test", 3, size_bytes))
    assert {len(message) for message in messages} == {size_bytes}
    assert len(set(messages)) == 3
    assert max(map(len, messages[0].split(b"\r\n"))) <= 998


# --- Knot and Unbound


def _ask(server: Knot | Unbound, name: str, kind: str) -> dns.message.Message:
    query = dns.message.make_query(name, kind, want_dnssec=True)
    return dns.query.udp(query, server.address, timeout=5, port=server.port)


def test_knot_answers_and_changes_its_zone() -> None:
    with Knot({"receiver.test": "@ MX 10 mail\nmail A 127.0.0.8\n"}) as knot:
        assert "10 mail.receiver.test." in str(_ask(knot, "receiver.test", "MX").answer)
        knot.update("receiver.test", "@ MX 20 other\n")
        assert "20 other.receiver.test." in str(_ask(knot, "receiver.test", "MX").answer)
        assert _ask(knot, "mail.receiver.test", "A").rcode() == dns.rcode.NXDOMAIN
        with pytest.raises(PeerFailed):
            knot.update("receiver.test", "@ MX broken\n")


def test_knot_refuses_to_start_with_a_broken_zone() -> None:
    with pytest.raises(PeerFailed, match="line"), Knot({"receiver.test": "@ MX broken\n"}):
        pass


def test_unbound_validates_what_knot_signs() -> None:
    zones = {"signed.test": "@ MX 10 mail\n", "plain.test": "@ MX 10 mail\n"}
    with (
        Knot(zones, signed=["signed.test"]) as knot,
        Unbound([knot], signed=["signed.test"]) as unbound,
    ):
        signed = _ask(unbound, "signed.test", "MX")
        assert signed.answer
        assert signed.flags & dns.flags.AD
        plain = _ask(unbound, "plain.test", "MX")
        assert plain.answer
        assert not plain.flags & dns.flags.AD
        assert _ask(unbound, "elsewhere.example", "MX").rcode() == dns.rcode.SERVFAIL


def test_unbound_calls_a_forged_zone_bogus() -> None:
    zones = {"signed.test": "@ MX 10 mail\n"}
    with Knot(zones, signed=["signed.test"]) as real, Knot(zones) as forged:
        # The signed zone's trust anchor with the unsigned server's answers.
        anchor = real.trust_anchor("signed.test")
        with Unbound([forged], anchors=[anchor]) as unbound:
            assert _ask(unbound, "signed.test", "MX").rcode() == dns.rcode.SERVFAIL
