"""Routes by real name servers: Knot answers, Unbound resolves in front of it."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from peers.dns import Knot, Unbound
from tests.interop.serving_process import command, write_config

ZONES = {
    "mail.test": """
@     MX 20 mx2
@     MX 10 mx1
@     MX 30 gone
mx1   A 192.0.2.1
mx1   A 192.0.2.2
mx1   AAAA 2001:db8::1
mx2   A 192.0.2.3
alias CNAME mail.test.
hosts MX 5 www
www   CNAME mx2
loop  CNAME loop2
loop2 CNAME loop
*.any MX 10 mx1
""",
    "address.test": "@ A 192.0.2.10\n@ AAAA 2001:db8::10\n",
    "six.test": "@ MX 10 mx\nmx AAAA 2001:db8::6\n",
    "none.test": "@ MX 0 .\n@ A 192.0.2.11\n",
    "empty.test": "@ TXT nothing\n",
    "astray.test": "@ MX 10 nowhere.mail.test.\n",
    # More than a UDP answer holds: asked again over TCP.
    "many.test": "".join(
        f"@ MX {10 + number} a-rather-long-host-name-{number:03d}\n"
        f"a-rather-long-host-name-{number:03d} A 192.0.2.{number}\n"
        for number in range(100)
    ),
}

MX1 = ("mx1.mail.test", 10, {"192.0.2.1", "192.0.2.2", "2001:db8::1"})
MX2 = ("mx2.mail.test", 20, {"192.0.2.3"})
GONE: tuple[str, int, set[str]] = ("gone.mail.test", 30, set())

FOUND = {
    "mail.test": [MX1, MX2, GONE],
    "MAIL.test": [MX1, MX2, GONE],
    "alias.mail.test": [MX1, MX2, GONE],
    "what.ever.any.mail.test": [MX1],
    # An MX that is an alias breaks RFC 5321 §5.1, and is used all the same, as others do.
    "hosts.mail.test": [("www.mail.test", 5, {"192.0.2.3"})],
    "address.test": [("address.test", 0, {"192.0.2.10", "2001:db8::10"})],
    "six.test": [("mx.six.test", 10, {"2001:db8::6"})],
    "many.test": [
        (f"a-rather-long-host-name-{number:03d}.many.test", 10 + number, {f"192.0.2.{number}"})
        for number in range(10)  # delivery.max_hosts
    ],
    "[192.0.2.99]": [("192.0.2.99", 0, {"192.0.2.99"})],
}
REFUSED = {
    "none.test": "556 5.1.10",
    "nothere.mail.test": "550 5.1.2",
    "elsewhere.mail.test": "550 5.1.2",
    "empty.test": "550 5.4.4",
    "astray.test": "550 5.4.4",
    "loop.mail.test": "451 4.4.3",
}


@pytest.fixture(scope="module", params=["knot", "unbound"])
def config(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A configuration whose DNS server is Knot, or Unbound that asks Knot."""
    directory = tmp_path_factory.mktemp("dns")
    with Knot(ZONES) as knot, Unbound([knot]) as unbound:
        server = knot if request.param == "knot" else unbound
        file = directory / "postroad.toml"
        write_config(
            file,
            {
                "server": {"hostname": "mx.us.test", "data_dir": str(directory / "data")},
                "delivery": {
                    "nameservers": [f"{server.address}:{server.port}"],
                    "allow_private": True,
                },
            },
        )
        yield file


async def ask(config: Path, *domains: str) -> dict[str, tuple[int, dict[str, Any]]]:
    """What ``postroad route`` says about each, two at once: its exit code, and its JSON."""
    turn = asyncio.Semaphore(2)

    async def one(domain: str) -> tuple[int, dict[str, Any]]:
        async with turn:
            done = await asyncio.to_thread(command, config, "route", f"user@{domain}", "--json")
        assert b"Traceback" not in done.stderr
        return done.returncode, json.loads(done.stdout)

    return dict(zip(domains, await asyncio.gather(*map(one, domains)), strict=True))


async def test_found(config: Path) -> None:
    answers = await ask(config, *FOUND)
    for domain, expected in FOUND.items():
        code, said = answers[domain]
        assert code == 0, said
        assert (said["local_part"], said["domain"]) == ("user", domain.lower())
        (lead,) = said["leads"]
        assert (lead["kind"], lead["port"], lead["tls"]) == ("mx", 25, "opportunistic")
        hosts = [
            (host["name"], host["preference"], set(host["addresses"])) for host in lead["hosts"]
        ]
        assert hosts == expected, domain
        for host in lead["hosts"]:
            assert bool(host["problem"]) is not bool(host["addresses"])


async def test_refused(config: Path) -> None:
    answers = await ask(config, *REFUSED)
    found = {domain: said["leads"][0]["refusal"][:10] for domain, (_, said) in answers.items()}
    assert {domain: text.strip() for domain, text in found.items()} == REFUSED
    for domain, (code, _) in answers.items():
        # EX_TEMPFAIL, EX_NOHOST
        assert code == (75 if REFUSED[domain].startswith("4") else 68), domain


async def test_a_name_server_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "postroad.toml"
    write_config(
        file,
        {
            "server": {"hostname": "mx.us.test", "data_dir": str(tmp_path / "data")},
            "delivery": {"nameservers": ["127.0.0.1:1"], "dns_total_seconds": 0.5},
        },
    )
    ((code, said),) = (await ask(file, "mail.test")).values()
    assert code == 75
    assert said["leads"][0]["refusal"].startswith("451 4.4.3 ")
