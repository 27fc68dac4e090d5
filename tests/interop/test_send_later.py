"""Mail that is to leave later: asked for by SMTP (RFC 4865), or held by quiet hours; and what an
operator does with it meanwhile. A real server, Python's own client, and the commands beside it.
"""

import json
import smtplib
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postroad.lab.clients import Mailserver
from tests.interop.exchange import login, numbered
from tests.interop.serving_process import BOB, Serving, command, serving_process

NEWS = "bob+news@us.test"
LIMIT = 3600


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    directory = tmp_path_factory.mktemp("later")
    now = datetime.now(UTC)
    hours = f"{now - timedelta(hours=2):%H:%M}-{now + timedelta(hours=2):%H:%M}"
    sections: dict[str, Any] = {
        "submission": {"hold_max_seconds": LIMIT},
        "streams.news": {"senders": [NEWS], "quiet_hours": hours, "timezone": "UTC"},
    }
    with serving_process(directory, directory / "data", **sections) as serving:
        yield serving


@pytest.fixture
def client(serving: Serving) -> Iterator[smtplib.SMTP]:
    with login(serving.mailserver("submission")) as client:
        yield client


def send(client: smtplib.SMTP, number: int, *options: str, sender: str = BOB) -> str:
    """Send a message to Bob; return its id."""
    client.ehlo()
    code, said = client.mail(sender, list(options))
    assert code == 250, said
    assert client.rcpt(BOB)[0] == 250
    code, said = client.data(numbered(number, sender, BOB))
    assert code == 250, said
    return said.decode().rpartition(" ")[2]


def refused(client: smtplib.SMTP, *options: str) -> str:
    client.ehlo()
    code, said = client.mail(BOB, list(options))
    client.rset()
    return f"{code} {said.decode()}"


def shown(serving: Serving, id: str) -> dict[str, Any]:
    done = command(serving.config, "queue", "show", id, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["deliveries"][0]
    return found


def journey(serving: Serving, id: str) -> str:
    return command(serving.config, "journey", id).stdout.decode()


def wait_until_delivered(serving: Serving, id: str) -> float:
    end = time.monotonic() + 20
    while shown(serving, id)["state"] != "delivered":
        assert time.monotonic() < end, journey(serving, id)
        time.sleep(0.1)
    return time.time()


def test_the_offer(client: smtplib.SMTP, serving: Serving) -> None:
    client.ehlo()
    seconds, until = client.esmtp_features["futurerelease"].split()
    assert int(seconds) == LIMIT
    ahead = datetime.fromisoformat(until).timestamp() - time.time()
    assert LIMIT - 5 < ahead <= LIMIT
    mx: Mailserver = serving.mailserver("mx")
    with smtplib.SMTP("127.0.0.1", mx.port) as other:
        other.ehlo()
        assert not other.has_extn("futurerelease"), "only for our own users"
        assert other.mail("a@there.test", ["HOLDFOR=60"])[0] == 555


def test_mail_is_held_for_as_long_as_asked(client: smtplib.SMTP, serving: Serving) -> None:
    began = time.time()
    id = send(client, 1, "HOLDFOR=10")
    now = send(client, 2)
    wait_until_delivered(serving, now)
    assert shown(serving, id)["state"] == "due"
    assert wait_until_delivered(serving, id) - began >= 10
    assert "scheduled" in journey(serving, id)
    assert "as it was asked for" in journey(serving, id)


def test_mail_is_held_until_a_moment(client: smtplib.SMTP, serving: Serving) -> None:
    until = datetime.now(UTC) + timedelta(seconds=8)
    id = send(client, 3, f"HOLDUNTIL={until:%Y-%m-%dT%H:%M:%S}.{until.microsecond:06}Z")
    assert shown(serving, id)["state"] == "due"
    assert wait_until_delivered(serving, id) >= until.timestamp()


def test_what_is_refused(client: smtplib.SMTP, serving: Serving) -> None:
    far = datetime.now(UTC) + timedelta(seconds=LIMIT + 60)
    for options in (
        (f"HOLDFOR={LIMIT + 1}",),
        (f"HOLDUNTIL={far:%Y-%m-%dT%H:%M:%SZ}",),
        ("HOLDUNTIL=2020-01-01T00:00:00Z",),
        ("HOLDUNTIL=tomorrow",),
        ("HOLDFOR=0",),
        ("HOLDFOR",),
        ("HOLDFOR=60", "HOLDUNTIL=2030-01-01T00:00:00Z"),
        ("HOLDFOR=60", "HOLDFOR=60"),
    ):
        assert refused(client, *options).startswith("501 5.5.4"), options


def test_quiet_hours_postpone(client: smtplib.SMTP, serving: Serving) -> None:
    id = send(client, 4, sender=NEWS)
    found = shown(serving, id)
    assert found["state"] == "due"
    assert found["attempts"] == 0
    assert time.time() + 3600 < found["due_at"] <= time.time() + 7200
    assert "quiet hours of the stream" in journey(serving, id)
    command(serving.config, "queue", "retry", id)
    time.sleep(1)
    assert shown(serving, id)["state"] == "due", "quiet means quiet"


def test_cancelled_until_leased(client: smtplib.SMTP, serving: Serving) -> None:
    id = send(client, 5, "HOLDFOR=600")
    done = command(serving.config, "queue", "cancel", id)
    assert (done.returncode, done.stdout) == (0, b"1 delivery cancelled\n")
    assert shown(serving, id)["state"] == "dropped"
    assert "cancelled before it was sent" in journey(serving, id)
    again = command(serving.config, "queue", "cancel", id)
    assert again.returncode == 65
    assert b"is dropped: that was its end" in again.stderr
    sent = send(client, 6)
    wait_until_delivered(serving, sent)
    late = command(serving.config, "queue", "cancel", sent)
    assert late.returncode == 65
    assert f"{sent}/0 is delivered: that was its end".encode() in late.stderr


def test_rescheduled(client: smtplib.SMTP, serving: Serving) -> None:
    id = send(client, 7, "HOLDFOR=600")
    soon = datetime.now(UTC) + timedelta(seconds=3)
    done = command(serving.config, "queue", "reschedule", id, "--at", soon.isoformat())
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"1 delivery rescheduled for ")
    assert wait_until_delivered(serving, id) >= soon.timestamp()
    assert "rescheduled" in journey(serving, id)
    for at, code in (("2020-01-01", 64), ("2999-01-01", 64), ("x", 64)):
        assert command(serving.config, "queue", "reschedule", id, "--at", at).returncode == code
    late = command(serving.config, "queue", "reschedule", id, "--at", "2027-06-01")
    assert late.returncode in (64, 65)
