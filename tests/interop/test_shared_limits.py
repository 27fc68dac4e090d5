"""Limits of a server with two workers: they count together, whoever of them takes a connection."""

import smtplib
import time
from pathlib import Path

from tests.interop.serving_process import BOB, Serving, serving_process

STRANGER = "eve@there.test"


def outcomes(serving: Serving, count: int) -> tuple[list[int], list[int]]:
    """Open that many connections at once, then say MAIL in each; return both answers of each."""
    clients = []
    greetings = []
    for _ in range(count):
        client = smtplib.SMTP(timeout=20, local_hostname="client.test")
        greetings.append(client.connect("127.0.0.1", serving.ports["mx"])[0])
        clients.append(client)
    said = []
    for client, code in zip(clients, greetings, strict=True):
        if code == 220:
            client.ehlo()
            said.append(client.mail(STRANGER)[0])
        client.close()
    return greetings, said


def workers_used(serving: Serving) -> int:
    """How many processes serve."""
    return serving.process.log().count("ready")


def test_rates(tmp_path: Path) -> None:
    with serving_process(
        tmp_path,
        tmp_path / "data",
        server={"workers": 2},
        abuse={"client_messages_per_hour": 7, "client_connections_per_minute": 40},
        log={"level": "info"},
    ) as serving:
        until = time.monotonic() + 20
        while workers_used(serving) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        # One connection was that of whoever looked whether the server is there.
        greetings, said = outcomes(serving, 50)
        assert greetings.count(220) in (39, 40)
        assert greetings.count(421) == 50 - greetings.count(220)
        assert said.count(250) == 7
        assert said.count(450) == len(said) - 7


def test_greylisting(tmp_path: Path) -> None:
    """Who comes again is known to the other worker, too: else half of these would be strangers."""
    with serving_process(
        tmp_path,
        tmp_path / "data",
        server={"workers": 2},
        abuse={"greylist": True, "greylist_seconds": 1},
    ) as serving:

        def rcpt() -> int:
            with smtplib.SMTP("127.0.0.1", serving.ports["mx"], timeout=20) as client:
                client.ehlo("client.test")
                client.mail(STRANGER)
                return client.rcpt(BOB)[0]

        assert rcpt() == 451
        time.sleep(1.2)
        assert [rcpt() for _ in range(40)] == [250] * 40
