import tracemalloc
from typing import Any

import pytest

from postroad.wire.pop3 import (
    Closed,
    Commit,
    LocalProtocolError,
    Login,
    Opened,
    POP3Server,
    ResponseCode,
    Retrieve,
    ServerConfig,
    StartTls,
    State,
)
from postroad.wire.pop3.outbox import SEND_OCTETS
from tests.unit.wire.pop3.driving import MESSAGES, Driver, big_listing, listing_of

CONFIG = ServerConfig(hostname="pop.test", auth_without_tls=True, starttls=True)


def waiting_for(line: bytes, driver: Driver | None = None) -> tuple[POP3Server, Any]:
    """A machine whose next event is not answered yet."""
    machine = (driver or Driver(CONFIG).log_in()).machine
    machine.receive_data(line, 0.0)
    event = machine.next_event()
    assert event is not None
    return machine, event


def test_no_event_and_no_answer_before_the_last_event_is_answered() -> None:
    machine, event = waiting_for(b"RETR 1\r\nSTAT\r\n")
    assert event == Retrieve(0)
    assert machine.next_event() is None
    assert machine.bytes_to_send() == b""
    machine.supply({0: (11, b"", MESSAGES[0], False)})
    assert machine.next_event() is None
    assert machine.bytes_to_send().endswith(b"\r\n.\r\n+OK 3 121\r\n")


# Messages supplied ahead


def supplied(plain: bool = False) -> Driver:
    """A session that read the first message, with the others at hand."""
    driver = Driver(CONFIG, ahead=2, plain=plain, messages=(b"a\r\n", b"b\r\n" * 3, b"c\r\n"))
    driver.listing = listing_of(driver.messages)
    driver.log_in()
    assert driver.say(b"RETR 1\r\n") == b"+OK 3 octets\r\na\r\n.\r\n"
    assert driver.events[-1] == Retrieve(0)
    driver.events.clear()
    return driver


def test_what_was_supplied_is_handed_out_without_an_event_and_once() -> None:
    driver = supplied()
    assert driver.say(b"RETR 2\r\nRETR 3\r\n") == (
        b"+OK 9 octets\r\nb\r\nb\r\nb\r\n.\r\n+OK 3 octets\r\nc\r\n.\r\n"
    )
    assert driver.events == []
    assert driver.say(b"RETR 3\r\n") == b"+OK 3 octets\r\nc\r\n.\r\n"
    assert driver.events == [Retrieve(2)]


def test_top_is_cut_from_what_was_supplied() -> None:
    driver = supplied()
    assert driver.say(b"TOP 2 1\r\n") == driver.say(b"TOP 2 1\r\n")
    assert driver.events == [Retrieve(1, 1)]


def test_what_was_supplied_and_then_deleted_is_not_handed_out() -> None:
    driver = supplied()
    assert driver.say(b"DELE 2\r\nRETR 2\r\nTOP 2 0\r\n").endswith(
        b" deleted\r\n" + b"-ERR message 2 is deleted\r\n" * 2
    )
    assert driver.say(b"RSET\r\nRETR 2\r\n").endswith(b"b\r\n.\r\n")
    assert driver.events == [Retrieve(1)]


def test_what_was_not_asked_for_is_dropped_when_other_is_supplied() -> None:
    driver = supplied()
    driver.ahead = 0
    driver.say(b"RETR 1\r\nRETR 2\r\n")
    assert driver.events == [Retrieve(0), Retrieve(1)]


@pytest.mark.parametrize("tail", [b"", b"\r", b"\r\n"])
def test_what_is_plain_is_sent_as_it_is_and_ends_in_a_dot(tail: bytes) -> None:
    message = (11, b"Return-Path: <>\r\n", b"A: b\r\n\r\nbody" + tail, True)
    machine, _ = waiting_for(b"RETR 1\r\n")
    machine.supply({0: message})
    data = message[1] + message[2]
    end = b".\r\n" if tail == b"\r\n" else b"\r\n.\r\n"
    assert machine.bytes_to_send() == b"+OK %d octets\r\n" % len(data) + data + end


def test_much_that_was_supplied_is_sent_in_parts() -> None:
    messages = [b"x" * 9998 + b"\r\n"] * 50
    driver = Driver(CONFIG, ahead=50, messages=messages, listing=listing_of(messages)).log_in()
    machine = driver.machine
    machine.receive_data(b"".join(b"RETR %d\r\n" % n for n in range(1, 51)), 0.0)
    event = machine.next_event()
    assert event == Retrieve(0)
    machine.supply(driver.at_hand(0))
    heard = 0
    while True:
        assert machine.next_event() is None
        held_back = machine.full
        data = machine.bytes_to_send()
        assert len(data) <= SEND_OCTETS + 10_100
        heard += data.count(b"\r\n.\r\n")
        if not held_back:
            break
    assert (heard, machine.bytes_to_send()) == (50, b"")


def test_commands_wait_behind_a_long_answer() -> None:
    driver = Driver(CONFIG, listing=big_listing(10_000)).log_in()
    machine = driver.machine
    machine.receive_data(b"LIST\r\nDELE 9000\r\nLIST 9000\r\n", 0.0)
    assert machine.next_event() is None
    first = machine.bytes_to_send()
    assert first.startswith(b"+OK 10000 messages")
    assert machine.next_event() is None
    rest = driver.run()
    assert b"\r\n9000 4096\r\n" in first + rest
    assert rest.endswith(b"\r\n.\r\n+OK message 9000 deleted\r\n-ERR message 9000 is deleted\r\n")


# ATTACKS 2: STLS injection (CVE-2011-0411)


def test_what_was_said_in_clear_behind_stls_is_dropped() -> None:
    driver = Driver(ServerConfig(hostname="pop.test", starttls=True))
    driver.run()
    said = driver.say(b"UTF8\r\nSTLS\r\nUSER mallory\r\nCAPA\r\n")
    assert said == b"+OK UTF8 enabled\r\n+OK begin TLS negotiation\r\n"
    assert driver.say(b"USER mallory\r\n") == b""
    driver.machine.tls_started(1.0)
    assert driver.run() == b""
    assert driver.machine.secure
    assert not driver.machine.utf8
    assert driver.say(b"PASS x\r\n") == b"-ERR USER comes first\r\n"


def test_a_name_given_in_clear_is_forgotten() -> None:
    driver = Driver(CONFIG)
    driver.run()
    driver.say(b"USER ann@example.test\r\nSTLS\r\n")
    driver.machine.tls_started(1.0)
    assert driver.say(b"PASS open sesame\r\n") == b"-ERR USER comes first\r\n"


def test_half_a_command_in_clear_does_not_become_one() -> None:
    driver = Driver(CONFIG)
    driver.run()
    driver.say(b"STLS\r\nUS")
    driver.machine.tls_started(1.0)
    assert driver.say(b"ER x\r\n") == b"-ERR unknown command\r\n"


# ATTACKS 4: 8 MiB command line


@pytest.mark.parametrize("start", [b"", b"AUTH PLAIN ", b"RETR "])
def test_a_line_of_8_mib_is_refused_in_bounded_memory(start: bytes) -> None:
    driver = Driver(CONFIG)
    driver.run()
    chunk = b"A" * 65536
    tracemalloc.start()
    heard = driver.say(start)
    for _ in range(128):
        heard += driver.say(chunk)
        assert driver.machine.buffered <= 2 * len(chunk)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20
    assert heard == b"-ERR line too long\r\n"
    assert driver.events[-1] == Closed("line too long")


@pytest.mark.parametrize(("octets", "fits"), [(255, True), (256, False)])
def test_the_line_limit_is_that_of_rfc_2449(octets: int, fits: bool) -> None:
    driver = Driver(CONFIG)
    driver.run()
    line = b"USER " + b"x" * (octets - 7) + b"\r\n"
    assert len(line) == octets
    assert driver.say(line).startswith(b"+OK" if fits else b"-ERR line too long")
    assert driver.say(b"CAPA\r\n").startswith(b"+OK")


def test_sasl_responses_may_be_longer() -> None:
    driver = Driver(CONFIG)
    driver.run()
    for command in (b"AUTH PLAIN ", b"AUTH PLAIN\r\n"):
        assert b"base 64" in driver.say(command + b"A" * 9001 + b"\r\n")
    assert b"line too long" in driver.say(b"AUTH PLAIN\r\n" + b"A" * 13000 + b"\r\n")
    assert driver.machine.state is State.AUTHORIZATION


# ATTACKS 21: a huge maildrop and a client that does not read


@pytest.mark.parametrize("command", [b"UIDL\r\n", b"LIST\r\n"])
def test_a_million_messages_are_listed_in_bounded_pieces(command: bytes) -> None:
    driver = Driver(CONFIG, listing=big_listing(1_000_000)).log_in()
    machine = driver.machine
    tracemalloc.start()
    machine.receive_data(command, 0.0)
    assert machine.next_event() is None
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(20):
        assert len(machine.bytes_to_send()) <= 2 * SEND_OCTETS
        assert machine.next_event() is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert before < 2**20
    assert peak < 2 * 2**20


def test_a_session_of_100_000_messages_is_small() -> None:
    listing = big_listing(100_000)
    tracemalloc.start()
    driver = Driver(CONFIG, listing=listing).log_in()
    for number in range(1, 1001):
        driver.machine.receive_data(b"DELE %d\r\n" % number, 0.0)
    driver.run()
    assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    tracemalloc.stop()


def test_a_flood_of_commands_is_answered_in_parts() -> None:
    driver = Driver(CONFIG).log_in()
    machine = driver.machine
    machine.receive_data(b"STAT\r\n" * 40_000, 0.0)
    parts = 0
    heard = 0
    while True:
        assert machine.next_event() is None
        data = machine.bytes_to_send()
        if not data:
            break
        assert len(data) <= SEND_OCTETS + 100
        heard += data.count(b"\r\n")
        parts += 1
    assert heard == 40_000
    assert parts > 5


# ATTACKS 25 and RFC 1939 §3: time


def test_the_login_has_a_total_deadline() -> None:
    driver = Driver(CONFIG)
    driver.run()
    for second in range(1, 60):
        driver.now = float(second)
        driver.say(b"C" if second % 2 else b"APA\r\n")
        assert driver.machine.deadline() == 60.0
    driver.machine.time_out(60.0)
    assert driver.run() == b""
    assert driver.events[-1] == Closed("timeout")
    assert driver.machine.closing
    assert driver.machine.deadline() is None


def test_autologout_runs_from_command_to_command_not_from_octet_to_octet() -> None:
    driver = Driver(CONFIG).log_in()
    driver.now = 100.0
    driver.say(b"NOOP\r\n")
    assert driver.machine.deadline() == 700.0
    for second in range(200, 300):
        driver.now = float(second)
        driver.say(b"X")
    assert driver.machine.deadline() == 700.0
    driver.machine.touch(650.0)
    assert driver.machine.deadline() == 1250.0


def test_autologout_says_nothing_and_removes_nothing() -> None:
    driver = Driver(CONFIG).log_in()
    driver.say(b"DELE 1\r\n")
    driver.machine.time_out(600.0)
    assert driver.run() == b""
    assert not any(isinstance(event, Commit) for event in driver.events)


def test_autologout_below_ten_minutes_is_no_pop3() -> None:
    with pytest.raises(ValueError, match="RFC 1939"):
        ServerConfig(hostname="pop.test", autologout_seconds=599)


# Ends


@pytest.mark.parametrize("end", ["eof", "shutdown", "abandon", "timeout"])
def test_without_quit_nothing_is_committed(end: str) -> None:
    driver = Driver(CONFIG).log_in()
    driver.say(b"DELE 1\r\nDELE 2\r\nQUI")
    match end:
        case "eof":
            driver.machine.receive_eof()
        case "shutdown":
            driver.machine.shut_down()
        case "abandon":
            driver.machine.abandon()
        case "timeout":
            driver.machine.time_out(600.0)
    driver.run()
    assert driver.machine.closing
    assert isinstance(driver.events[-1], Closed)
    assert sum(isinstance(event, Closed) for event in driver.events) == 1
    assert not any(isinstance(event, Commit) for event in driver.events)
    assert driver.say(b"QUIT\r\n") == b""


def test_shutting_down_lets_what_is_under_way_end() -> None:
    machine, event = waiting_for(b"DELE 1\r\nQUIT\r\n")
    assert isinstance(event, Commit)
    machine.shut_down()
    assert machine.next_event() is None
    machine.committed()
    assert machine.next_event() == Closed("quit")
    assert machine.bytes_to_send() == b"+OK message 1 deleted\r\n+OK goodbye\r\n"


def test_shutting_down_between_commands_says_so() -> None:
    driver = Driver(CONFIG).log_in()
    driver.machine.shut_down()
    assert driver.run() == b"-ERR [SYS/TEMP] server is shutting down\r\n"


def test_a_failure_of_ours_is_answered_if_the_client_waits() -> None:
    machine, _ = waiting_for(b"RETR 1\r\n")
    machine.time_out(1.0)
    assert machine.bytes_to_send() == b"-ERR [SYS/TEMP] internal error, closing\r\n"


def test_half_a_message_is_not_ended_by_an_error() -> None:
    machine, _ = waiting_for(b"RETR 1\r\n")
    machine.body(b"Subject: one\r\n")
    with pytest.raises(LocalProtocolError):
        machine.refuse("broken")
    machine.abandon()
    assert machine.bytes_to_send() == b""
    assert machine.next_event() == Closed("connection lost")


def test_a_refused_message_leaves_the_session_as_it_was() -> None:
    machine, _ = waiting_for(b"RETR 1\r\nSTAT\r\n")
    machine.refuse("it is gone", ResponseCode.SYS_TEMP)
    assert machine.next_event() is None
    assert machine.bytes_to_send() == b"-ERR [SYS/TEMP] it is gone\r\n+OK 3 121\r\n"


def test_refusals_that_are_answers_are_not_mistakes() -> None:
    driver = Driver(CONFIG).log_in()
    assert driver.say(b"RETR 9\r\n" * 1000).count(b"-ERR no such message") == 1000
    assert driver.say(b"STAT\r\n").startswith(b"+OK")


# Answers that fit no question are mistakes of the driver


def test_answers_must_fit_the_question() -> None:
    machine = POP3Server(CONFIG, 0.0)
    with pytest.raises(LocalProtocolError):
        machine.welcome()
    assert machine.next_event() == Opened()
    for wrong in (machine.committed, machine.start_tls, machine.end_body):
        with pytest.raises(LocalProtocolError):
            wrong()
    with pytest.raises(LocalProtocolError):
        machine.body(b"x")
    machine.welcome()
    machine, event = waiting_for(b"TOP 1 1\r\n")
    assert event == Retrieve(0, 1)
    with pytest.raises(LocalProtocolError):
        machine.supply({1: (12, b"", b"x", False)})


def test_a_greeting_may_be_refused() -> None:
    machine = POP3Server(CONFIG, 0.0)
    assert machine.next_event() == Opened()
    machine.refuse("not now", ResponseCode.SYS_TEMP)
    assert machine.bytes_to_send() == b"-ERR [SYS/TEMP] not now\r\n"
    assert machine.next_event() == Closed("refused")
    assert machine.closing


def test_stls_that_is_refused() -> None:
    driver = Driver(CONFIG)
    driver.run()
    machine, event = waiting_for(b"STLS\r\nUSER x\r\n", driver)
    assert event == StartTls()
    machine.refuse("no certificate", ResponseCode.SYS_TEMP)
    assert driver.run() == b"-ERR [SYS/TEMP] no certificate\r\n+OK send PASS\r\n"


def test_stls_is_not_offered_without_a_certificate() -> None:
    driver = Driver(ServerConfig(hostname="pop.test"))
    driver.run()
    assert driver.say(b"STLS\r\n") == b"-ERR TLS is not available\r\n"
    assert b"STLS" not in driver.say(b"CAPA\r\n")


def test_passwords_are_not_shown() -> None:
    assert "sesame" not in repr(Login("USER", "ann", "open sesame"))


def test_utf8_names_and_passwords() -> None:
    driver = Driver(CONFIG)
    driver.run()
    driver.say("USER jörg@example.test\r\nPASS pâss wörd\r\n".encode())
    assert driver.events[-1] == Login("USER", "jörg@example.test", "pâss wörd")


def test_login_delay_is_announced() -> None:
    driver = Driver(ServerConfig(hostname="pop.test", login_delay_seconds=30))
    driver.run()
    assert b"\r\nLOGIN-DELAY 30\r\n" in driver.say(b"CAPA\r\n")
