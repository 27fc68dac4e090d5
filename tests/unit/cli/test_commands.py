"""The commands, each on a store without a server; what is printed, and with which code they end."""

import asyncio
import json
import os
import pwd
import re
import shlex
import signal
import subprocess
import sys
import time
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from postroad.cli.main import main
from postroad.cli.reference import reference
from postroad.model import Address, Envelope, Origin, Recipient, Scope, ServerKind
from postroad.runtime.compose import System
from postroad.runtime.config import Config, load_config
from postroad.runtime.lifecycle import run
from postroad.runtime.quickstart import make_plan, systemd_unit
from postroad.service.authenticate import Visit
from tests.unit.runtime.served import Served, environment, write_config

ROOT = Path(__file__).resolve().parents[3]


class Cli:
    """Runs commands on one configuration and keeps what they print."""

    def __init__(self, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.config = config
        self._capsys = capsys

    def __call__(self, *argv: str, code: int = 0, config: bool = True) -> str:
        self._capsys.readouterr()
        got = main([*argv, "--config", str(self.config)] if config else list(argv))
        printed = self._capsys.readouterr()
        self.error = printed.err
        assert got == code, printed.err + printed.out
        return printed.out

    def json(self, *argv: str, code: int = 0) -> Any:
        return json.loads(self(*argv, "--json", code=code))


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    for name in os.environ:
        if name.startswith("POSTROAD_"):
            monkeypatch.delenv(name)
    return Cli(write_config(tmp_path), capsys)


def submit(config: Path, sender: str, *recipients: str) -> None:
    """Put a message into the queue of a server that does not run."""

    async def put() -> None:
        async with System.open(load_config(config, {})) as system:
            reply = await system.intake.submit(
                Envelope(
                    Address.parse(sender),
                    tuple(Recipient(Address.parse(each)) for each in recipients),
                ),
                b"Message-ID: <one@here.test>\r\nSubject: x\r\n\r\nhi\r\n",
                Origin(ServerKind.LOCAL, account="me"),
            )
            assert reply.code == 250

    run(put())


def test_quotas_of_accounts(cli: Cli) -> None:
    cli("domain", "add", "here.test")
    cli("account", "add", "ann@here.test")
    assert cli.json("account", "quota", "ann@here.test") == {
        "address": "ann@here.test",
        "octets": {"used": 0, "limit": None},
        "messages": {"used": 0, "limit": None},
    }
    shown = cli("account", "quota", "ann@here.test", "--octets", "2 KiB", "--messages", "0")
    assert re.search(r"octets +0 +2048\n", shown)
    assert re.search(r"messages +0 +none\n", shown)
    shown = cli("account", "quota", "ann@here.test", "--octets", "default")
    assert re.search(r"octets +0 +none \(default\)\n", shown)
    assert cli.json("account", "quota", "ann@here.test", "--octets", "9")["octets"]["limit"] == 9
    cli("account", "quota", "ann@here.test", "--octets", "much", code=64)
    assert "--octets" in cli.error
    cli("account", "quota", "ann@here.test", "--octets", str(2**60), code=65)
    cli("account", "quota", "eve@here.test", code=65)


def test_domains_accounts_and_aliases(cli: Cli) -> None:
    cli("domain", "add", "Here.Test")
    cli("domain", "add", "other.test", "--catch-all", "jo@here.test", "--subaddress", "-")
    assert [each["name"] for each in cli.json("domain", "list")] == ["here.test", "other.test"]
    assert "jo@here.test" in cli("domain", "list")
    password = re.search(r"password (\S+)$", cli("account", "add", "jo@here.test"))
    assert password
    again = cli.json("account", "password", "jo@here.test")
    assert again["address"] == "jo@here.test"
    assert again["password"] != password[1]
    assert cli("account", "list").splitlines()[1].split() == ["jo@here.test", "yes", "no", "no"]
    cli("account", "change", "jo@here.test", "--operator")
    assert cli.json("account", "list")[0]["operator"] is True
    cli("account", "change", "jo@here.test", "--no-operator")
    assert cli.json("account", "list")[0]["operator"] is False
    cli("account", "change", "jo@here.test", code=64)
    cli("alias", "add", "all@here.test", "jo@here.test", "x@out.test")
    assert cli.json("alias", "list", "--domain", "here.test") == [
        {"address": "all@here.test", "targets": ["jo@here.test", "x@out.test"]}
    ]
    cli("alias", "remove", "all@here.test")
    assert cli.json("alias", "list") == []
    cli("account", "remove", "jo@here.test", code=64)
    assert "--yes" in cli.error
    cli("account", "remove", "jo@here.test", "--yes")
    cli("domain", "remove", "here.test")
    assert [each["name"] for each in cli.json("domain", "list")] == ["other.test"]


def deliver(config: Path, recipient: str, *letters: bytes) -> None:
    """Let letters come into a mailbox, of a server that runs only for that."""
    to = Address.parse(recipient)

    async def put() -> None:
        async with System.open(load_config(config, {})) as system:
            account = await system.store.directory.account(to)
            assert account is not None
            await system.start()
            for letter in letters:
                envelope = Envelope(Address.parse("eve@out.test"), (Recipient(to),))
                reply = await system.intake.submit(envelope, letter, Origin(ServerKind.LOCAL))
                assert reply.code == 250
            for _ in range(1000):
                listing = await system.store.mailboxes.listing(account.inbox)
                if listing is not None and len(listing.uids) >= len(letters):
                    break
                await asyncio.sleep(0.01)
            await system.stop(grace_seconds=1)

    run(put())


def test_mail_is_listed_and_moved(cli: Cli) -> None:
    cli("domain", "add", "here.test")
    cli("account", "add", "jo@here.test")
    letter = b"From: Eve <eve@out.test>\r\nSubject: =?utf-8?q?=C3=A9t=C3=A9?=\r\n\r\nhi\r\n"
    deliver(cli.config, "jo@here.test", letter, letter)
    assert cli("mail", "list", "jo@here.test").splitlines()[1].split()[:2] == ["INBOX", "2"]
    newest, oldest = cli.json("mail", "list", "jo@here.test", "INBOX")
    assert (newest["uid"], oldest["uid"]) == (2, 1)
    assert (newest["subject"], newest["from"]) == ("été", "Eve <eve@out.test>")
    assert "été" in cli("mail", "list", "jo@here.test", "inbox", "--limit", "1")
    said = cli("mail", "move", "jo@here.test", "1", "2", "--to", "junk")
    assert said == "2 moved from INBOX to Junk\n"
    boxes = {each["name"]: each["messages"] for each in cli.json("mail", "list", "jo@here.test")}
    assert boxes == {"INBOX": 0, "Junk": 2}
    (message, *_) = cli.json("journey", "--to", "jo@here.test")
    lines = cli.json("journey", message["id"])["journey"]
    assert lines[-1]["what"] == "moved"
    assert lines[-1]["text"].startswith("from INBOX into Junk, by ")
    cli("mail", "move", "jo@here.test", "1", "--from", "Junk", "--to", "INBOX")
    cli("mail", "move", "jo@here.test", "9", "--from", "Junk", "--to", "INBOX", code=65)
    assert "has no message 9" in cli.error
    cli("mail", "list", "jo@here.test", "No/such", code=65)
    cli("mail", "move", "jo@here.test", "1", "--to", "a//b", code=64)
    cli("mail", "list", "no@here.test", code=65)


def test_junk_is_taught_and_shown(cli: Cli, tmp_path: Path) -> None:
    cli("domain", "add", "here.test")
    cli("account", "add", "jo@here.test")
    assert cli.json("junk", "show", "jo@here.test")["active"] is False
    assert "not judged before it learned 50 of each kind" in cli("junk", "show", "jo@here.test")
    mbox = tmp_path / "mbox"
    mbox.write_bytes(b"".join(b"From x\nSubject: pills %d\n\nbuy\n\n" % n for n in range(25)))
    assert cli("junk", "learn", "jo@here.test", "--spam", str(mbox)) == "25 learned as spam\n"
    assert cli("junk", "learn", "jo@here.test", "--spam", str(mbox)) == "0 learned as spam\n"
    deliver(cli.config, "jo@here.test", *(b"Subject: lunch %d\r\n\r\nhi\r\n" % n for n in range(3)))
    learned = cli("junk", "learn", "jo@here.test", "--ham", "--mailbox", "INBOX")
    assert learned == "3 learned as ham\n"
    cli("mail", "move", "jo@here.test", "1", "--to", "Junk")
    found = cli.json("junk", "show", "jo@here.test")
    assert (found["spam"], found["ham"], found["active"]) == (25, 2, False), "one taken back"
    assert {"buy", "subject:pills"} <= {each["token"] for each in found["spam_words"]}
    assert "subject:lunch" in cli("junk", "show", "jo@here.test")
    cli("junk", "learn", "jo@here.test", str(mbox), code=64)
    assert "--spam or --ham" in cli.error
    cli("junk", "learn", "jo@here.test", "--spam", code=64)
    cli("junk", "learn", "jo@here.test", "--spam", str(tmp_path / "none"), code=66)
    cli("junk", "learn", "no@here.test", "--spam", str(mbox), code=65)


def test_keys_from_their_making_to_their_end(cli: Cli) -> None:
    cli("domain", "add", "here.test")
    assert cli("key", "list") == ""
    assert "postroad key add" in cli.error
    printed = cli("key", "add", "here.test")
    assert printed.count("IN TXT") == 2
    assert '_domainkey.here.test. IN TXT ( "v=DKIM1; k=rsa;' in printed
    both = cli.json("key", "list", "here.test")
    assert [each["state"] for each in both] == ["waiting", "waiting"]
    assert all("pem" not in each for each in both)
    assert "PRIVATE" not in json.dumps(both)
    (now,) = cli.json(
        "key", "add", "here.test", "--algorithm", "ed25519", "--selector", "s1", "--sign-now"
    )
    assert (now["selector"], now["state"]) == ("s1", "signing")
    assert cli("key", "show", "here.test", "s1").startswith("; here.test: ed25519-sha256, signing")
    seen = cli.json("key", "check", "here.test", code=1)
    assert all(each["problem"] for each in seen)
    cli("key", "rotate", "here.test", code=65)
    assert "has a new key already" in cli.error
    cli("key", "remove", "here.test", "s1", code=65)
    assert "postroad key retire here.test s1" in cli.error
    for each in both:
        cli("key", "remove", "here.test", each["selector"])
    (successor,) = cli.json("key", "rotate", "here.test")
    assert successor["algorithm"] == "ed25519-sha256"
    cli("key", "retire", "here.test", "s1", code=65)
    assert "--force" in cli.error
    assert "retired" in cli("key", "retire", "here.test", "s1", "--force")
    cli("key", "remove", "here.test", "s1")
    assert [each["selector"] for each in cli.json("key", "list")] == [successor["selector"]]


def test_app_passwords(cli: Cli) -> None:
    cli("domain", "add", "here.test")
    cli("account", "add", "jo@here.test")
    added = cli("account", "app-password", "add", "jo@here.test", "phone")
    assert re.search(r"'phone' logs in as jo@here\.test with the app password (\S+)$", added)
    made = cli.json("account", "app-password", "add", "jo@here.test", "backup", "--scope", "pop3")
    assert re.fullmatch(r"[a-z2-7-]{29}", made["password"])
    backup, phone = cli.json("account", "app-password", "list", "jo@here.test")
    assert (backup["name"], backup["scopes"], backup["used_at"]) == ("backup", ["pop3"], None)
    assert (phone["name"], phone["scopes"]) == ("phone", ["jmap", "pop3", "smtp"])
    row = cli("account", "app-password", "list", "jo@here.test").splitlines()[1]
    assert row.startswith("backup")
    assert row.endswith("never")
    cli("account", "app-password", "add", "jo@here.test", "phone", code=65)
    assert "already" in cli.error
    cli("account", "app-password", "add", "jo@here.test", "x", "--scope", "imap", code=64)
    assert "only smtp, pop3, jmap" in cli.error
    cli("account", "app-password", "add", "eve@here.test", "phone", code=65)
    cli("account", "app-password", "remove", "jo@here.test", "phone")
    cli("account", "app-password", "remove", "jo@here.test", "phone", code=65)
    assert [
        each["name"] for each in cli.json("account", "app-password", "list", "jo@here.test")
    ] == ["backup"]


def test_the_standing_of_domains(cli: Cli) -> None:
    assert cli.json("standing", "list") == []
    cli("standing", "mark", "Junk.Test", "--junk", "3", "--good", "1")
    (found,) = cli.json("standing", "list")
    assert (found["domain"], found["junk"], found["good"]) == ("junk.test", 3.0, 1.0)
    assert "junk.test  1.0   3.0   75%" in cli("standing", "list")
    cli("standing", "mark", "junk.test", code=64)


def test_logins_are_told(cli: Cli) -> None:
    async def log_in() -> None:
        async with System.open(load_config(cli.config, {})) as system:
            visit = Visit("192.0.2.1", "pop3", Scope.POP3, "PLAIN")
            await system.authenticator.verify("Eve@here.test", "x", visit)
            await system.authenticator.verify("\x1b[2J", "x", visit)

    run(log_in())
    strange, eve = cli.json("account", "logins")
    assert (eve["username"], eve["result"], eve["mechanism"], eve["server"], eve["client"]) == (
        "eve@here.test",
        "wrong",
        "PLAIN",
        "pop3",
        "192.0.2.1",
    )
    assert strange["username"] == "?[2j"
    [again] = cli.json("account", "logins", "EVE@here.test", "--failed")
    assert again == eve
    assert "eve@here.test  wrong   PLAIN" in cli("account", "logins")
    assert cli.json("account", "logins", "jo@here.test") == []


def test_a_password_from_a_file_is_not_printed(cli: Cli, tmp_path: Path) -> None:
    cli("domain", "add", "here.test")
    secret = tmp_path / "password"
    secret.write_text("s3cret\n")
    assert "s3cret" not in cli("account", "add", "jo@here.test", "--password-file", str(secret))
    given = cli.json("account", "password", "jo@here.test", "--password-file", str(secret))
    assert given["password"] is None
    secret.write_text("\n")
    cli("account", "password", "jo@here.test", "--password-file", str(secret), code=65)
    assert cli.error == "postroad: the password is empty\n"


@pytest.mark.parametrize(
    ("argv", "code", "line"),
    [
        (["account", "add", "jo@nowhere.test"], 65, "nowhere.test is not a local domain; add it"),
        (["account", "add", "no address"], 64, "address has no @ and domain"),
        (["account", "password", "x@here.test"], 65, "there is no account x@here.test"),
        (["account", "add", "jo@here.test", "--password-file", "/no"], 66, "/no: no such file"),
        (["domain", "remove", "gone.test"], 65, "gone.test is not a local domain"),
        (["alias", "remove", "x@here.test"], 65, "there is no alias x@here.test"),
        (["queue", "show", "0000000000000"], 65, "there is no message 0000000000000 here"),
        (["queue", "show", "bad"], 64, "'bad' is not a queue id"),
        (["queue", "hold"], 64, "which? name ids (postroad queue hold ID)"),
        (["queue", "list", "--state", "lost"], 64, "--state lost: none of due,"),
        (["journey", "bad"], 64, "'bad' is not a queue id"),
        (["journey", "--to", "a@b", "--message-id", "<x>"], 64, "name one of:"),
        (["key", "add", "gone.test"], 65, "gone.test is not a local domain"),
        (["key", "add", "here.test", "--algorithm", "dsa"], 64, "--algorithm dsa: rsa, ed25519 or"),
        (["key", "show", "here.test", "x"], 65, "here.test has no key x"),
        (["frobnicate"], 64, "No such command 'frobnicate'"),
        (["route"], 64, "Missing argument 'ADDRESS'"),
    ],
)
def test_errors_are_one_line_and_a_code(cli: Cli, argv: list[str], code: int, line: str) -> None:
    cli("domain", "add", "here.test")
    cli(*argv, code=code, config=argv[0] != "frobnicate")
    assert cli.error.startswith(f"postroad: {line}")
    assert cli.error.count("\n") == 1


def test_the_queue(cli: Cli) -> None:
    submit(cli.config, "me@here.test", "a@one.test", "b@one.test", "c@two.test")
    listed = cli.json("queue", "list")
    assert listed["counts"]["due"] == 3
    assert [each["recipient"] for each in listed["deliveries"]] == [
        "a@one.test",
        "b@one.test",
        "c@two.test",
    ]
    id = listed["deliveries"][0]["id"]
    table = cli("queue", "list", "--destination", "one.test").splitlines()
    assert table[0].split()[:2] == ["ID", "STATE"]
    assert [line.split()[0] for line in table[1:]] == [f"{id}/0", f"{id}/1"]
    assert cli("queue", "hold", f"{id}/1") == "1 delivery held\n"
    assert cli("queue", "drop", "--to", "c@two.test") == "1 delivery dropped\n"
    assert cli.json("queue", "retry", "--all") == {"made due now": 1}
    shown = cli.json("queue", "show", id)
    assert [each["state"] for each in shown["deliveries"]] == ["due", "held", "dropped"]
    assert "dropped" in cli("queue", "show", id.lower())
    cli("queue", "retry", f"{id}/1", code=65)
    assert cli.error == f"postroad: {id}/1 is held: say: postroad queue release {id}/1\n"
    assert cli("queue", "release", id) == "1 delivery released\n"
    cli("queue", "release", f"{id}/1", code=65)
    assert "is due: there is nothing to release" in cli.error
    cli("queue", "list", "--state", "nonsense", code=64)
    assert cli.error.startswith("postroad: --state nonsense: none of due, ")
    assert cli.json("queue", "list")["counts"] == {"due": 2, "leased": 0, "held": 0}
    cli("queue", "drop", f"{id}/9", code=65)
    whats = [line["what"] for line in cli.json("journey", id)["journey"]]
    assert whats[:4] == ["accepted", "split", "split", "split"]
    assert {"held", "dropped", "retried"} <= set(whats)
    assert "(command)" in cli("journey", "--message-id", "<one@here.test>")
    submit(cli.config, "me@here.test", "a@one.test")
    assert len(cli("journey", "--to", "a@one.test").splitlines()) == 3
    newest = cli.json("journey", "--to", "a@one.test", "--limit", "1")
    assert [line["what"] for line in newest["journey"]] == ["accepted", "split"]


def test_the_queue_of_the_past(cli: Cli) -> None:
    submit(cli.config, "me@here.test", "a@one.test", "b@one.test")
    before = time.time()
    time.sleep(0.01)
    id = cli.json("queue", "list")["deliveries"][0]["id"]
    cli("queue", "hold", f"{id}/1")
    cli("queue", "drop", f"{id}/0")
    at = datetime.fromtimestamp(before, UTC).isoformat()
    past = cli.json("queue", "list", "--at", at)
    assert past["at"] == pytest.approx(before)
    assert past["counts"] == {"due": 2, "leased": 0, "held": 0}
    assert [each["state"] for each in past["deliveries"]] == ["due", "due"]
    shown = cli.json("queue", "show", id, "--at", at)
    assert [each["state"] for each in shown["deliveries"]] == ["due", "due"]
    assert cli.json("queue", "counts")["counts"] == {"due": 0, "leased": 0, "held": 1}
    assert cli.json("queue", "counts", "--at", at)["counts"]["due"] == 2
    table = cli("queue", "list", "--at", at).splitlines()
    assert table[0] == f"as of {at[:10]} {at[11:19]} UTC"
    assert len(table) == 4
    assert "due         2" not in cli("queue", "counts")
    assert cli("queue", "list", "--at", "2000-01-01T00:00").startswith("as of 2000-01-01 00:00:00")
    assert "may be forgotten already (storage.retain_seconds)" in cli.error
    assert cli.error.endswith("nothing waited\n")
    cli("queue", "show", id, "--at", "2000-01-01", code=65)
    assert "at that time" in cli.error
    cli("queue", "list", "--at", at, "--state", "delivered", code=64)
    cli("queue", "counts", "--at", "noon", code=64)
    assert "is not a time" in cli.error
    held = cli.json("queue", "list")["deliveries"][0]["held"]
    assert held["because"] == "operator"
    assert held["by"].endswith("(command)")
    assert "held: by " in cli("queue", "list")


def test_nothing_is_said_of_nothing(cli: Cli) -> None:
    assert cli("queue", "list") == ""
    assert cli.error == "nothing waits\n"


def test_where_local_addresses_lead(cli: Cli) -> None:
    cli("domain", "add", "here.test")
    cli("account", "add", "jo@here.test")
    cli("alias", "add", "team@here.test", "jo@here.test", "x@out.test")
    assert "jo@here.test: a mailbox here" in cli("route", "jo+tag@here.test")
    found = cli.json("route", "team@here.test", code=75)  # nobody answers at the name server
    assert [each["local"] for each in found["leads"]] == [True, False]
    assert found["leads"][1]["refusal"].startswith("451 4.4.3 ")
    refused = cli.json("route", "nobody@here.test", code=67)
    assert refused["refusal"] == "550 5.1.1 <nobody@here.test> No such user here"
    cli("route", "nobody@here.test", code=67)
    literal = cli.json("route", "x@[192.0.2.1]", code=68)
    assert literal["domain"] == "[192.0.2.1]"


def test_a_smarthost_is_shown(cli: Cli) -> None:
    cli.config.write_text(cli.config.read_text() + "[routes.'*']\nvia = '192.0.2.7:2525'\n")
    shown = cli("route", "x@out.test")
    assert "by          smarthost, TLS opportunistic" in shown
    assert shown.splitlines()[-1].split() == ["0", "192.0.2.7", "192.0.2.7", "2525"]
    host = cli.json("route", "x@out.test")["leads"][0]["hosts"][0]
    assert host["addresses"] == ["192.0.2.7"]


def test_config(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no mistakes found" in cli("config", "check")
    Config.model_validate(tomllib.loads(cli("config", "dump")))
    assert cli.json("config", "dump")["server"]["hostname"] == "mail.here.test"
    assert "POSTROAD_LIMITS__MAX_HOPS" in cli("config", "describe", "max_hops", config=False)
    described = json.loads(cli("config", "describe", "--json", config=False))
    assert {"name", "type", "default", "environment", "description", "bounds"} <= set(described[0])
    cli("config", "describe", "banana", code=64, config=False)
    (tmp_path / "key.pem").write_text("")
    cli.config.write_text(
        cli.config.read_text() + "[routes.'*']\nvia = 'r.test'\nusername = 'u'\n"
        "password_file = '/no/password'\n"
    )
    problems = cli.json("config", "check", code=78)["problems"]
    assert len(problems) == 2
    assert problems[0].startswith(f"{cli.config}: tls.certificate: ")
    assert "key.pem cannot be used" in problems[0]
    assert problems[1] == (
        f'{cli.config}: routes."*".password_file = "/no/password": no such file or directory; '
        "name a file that the server's user can read, with the password in its first line"
    )
    (tmp_path / "key.pem").unlink()
    text = cli.config.read_text()
    cli.config.write_text(
        text.replace('pop3 = ["127.0.0.1:0"]', 'pop3 = ["127.0.0.1:77"]').replace(
            'pop3s = ["127.0.0.1:0"]', 'pop3s = ["127.0.0.1:77"]'
        )
    )
    problems = cli.json("config", "check", code=78)["problems"]
    assert problems[0].startswith(f'{cli.config}: tls.key = "{tmp_path}/key.pem": no such file')
    assert problems[2] == (
        f"{cli.config}: listen.pop3s = 127.0.0.1:77: is in listen.pop3 already; "
        "choose another port, or [] to turn the service off"
    )
    monkeypatch.setenv("POSTROAD_TLS__KEY", "/nope")
    problems = cli.json("config", "check", code=78)["problems"]
    assert problems[0].startswith('environment: POSTROAD_TLS__KEY = "/nope": ')
    cli.config.write_text(text + "[mx]\ntls_required = 'yes'\n")
    problems = cli.json("config", "check", code=78)["problems"]
    assert problems == [f'{cli.config}: mx.tls_required = "yes": is neither true nor false']
    cli.config.write_text("[server]\n")
    cli("config", "check", code=78)
    assert "server.hostname: must be set" in cli.error


def test_quickstart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = Cli(tmp_path / "mail" / "postroad.toml", capsys)
    argv = ("quickstart", "Example.Test", "--dir", str(tmp_path / "mail"))
    shown = cli(*argv, config=False)
    for needed in (
        "signed by itself",
        "example.test. 3600 IN MX 10 mail.example.test.",
        '"v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 -all"',
        '"v=DMARC1; p=quarantine;',
        "_submissions._tcp.example.test. 3600 IN SRV 0 1 465 mail.example.test.",
    ):
        assert needed in shown
    # Another command says the same.
    written = cli.config.read_text()
    cli.config.write_text(f'{written}[delivery]\nnameservers = ["127.0.0.1:1"]\n')
    words = ("--address", "192.0.2.1", "--address", "2001:db8::1")
    records = cli("domain", "records", "example.test", *words).splitlines()
    assert len(records) > 10
    assert set(records) <= set(shown.splitlines())
    cli.config.write_text(written)
    password = re.search(r"password +(\S+)", shown)
    assert password
    assert password[1] not in cli.config.read_text()
    assert (tmp_path / "mail" / "tls" / "key.pem").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "mail" / "data").stat().st_mode & 0o777 == 0o700
    assert "no mistakes found" in cli("config", "check")
    assert load_config(cli.config, {}).listen.mx[0].port == 2525
    assert load_config(cli.config, {}).server.origin == "example.test"
    assert {each["address"] for each in cli.json("alias", "list")} == {"root@example.test"}
    (first,) = cli.json("account", "list")
    assert first == {
        "address": "postmaster@example.test",
        "enabled": True,
        "operator": False,
        "second_factor": False,
    }
    # Again: nothing is overwritten, unless asked for; then accounts stay.
    before = cli.config.read_bytes()
    cli(*argv, code=73, config=False)
    assert "--force" in cli.error
    cli.config.write_text("changed")
    again = json.loads(cli(*argv, "--force", "--json", config=False))
    assert again["password"] is None
    assert cli.config.read_bytes() == before


def howto(heading: str) -> list[list[str]]:
    """Return the postroad commands of a section of the how-to."""
    text = (ROOT / "docs/howto/run-a-domain.md").read_text(encoding="utf-8")
    section = text.partition(f"## {heading}")[2].partition("\n## ")[0]
    lines = [
        line.strip().removeprefix("sudo ") for line in section.splitlines() if line[:4] == "    "
    ]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("postroad ")]


def test_the_howto_to_the_letter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (setting_up,) = howto("1. Set up")
    people = howto("5. People")
    assert len(people) == 6
    cli = Cli(tmp_path / "mail" / "postroad.toml", capsys)
    cli(*setting_up, "--dir", str(tmp_path / "mail"), config=False)
    for command in people:
        cli(*command)
    for name in ("postmaster@example.org", "root@example.org"):
        assert "jane@example.org: a mailbox here" in cli("route", name)
    assert "team@example.org" in cli("alias", "list")
    assert "sam@example.org: a mailbox here" in cli("route", "postmaster@example.com")
    assert "jane@example.org: a mailbox here" in cli("route", "postmaster@example.net")


def test_the_systemd_unit_is_hardened(cli: Cli, tmp_path: Path) -> None:
    unit = cli("quickstart", "a.test", "--dir", str(tmp_path / "q"), "--systemd", config=False)
    assert not (tmp_path / "q").exists()
    assert f"serve --config {tmp_path}/q/postroad.toml" in unit
    root = os.geteuid() == 0
    for line in (
        "Type=notify",
        "ExecReload=/bin/kill -HUP $MAINPID",
        f"User={'postroad' if root else pwd.getpwuid(os.getuid()).pw_name}",
        "AmbientCapabilities=CAP_NET_BIND_SERVICE",
        "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
    ):
        assert line in unit.splitlines()
    keys = [line.partition("=")[0] for line in unit.splitlines() if "=" in line]
    assert len(set(keys)) == len(keys) - 1  # only SystemCallFilter comes twice


def test_the_unit_lets_the_server_write_where_its_files_are(tmp_path: Path) -> None:
    own = make_plan("a.test", directory=Path("/srv/mail"))
    assert "ReadWritePaths=/srv/mail" in systemd_unit(own).splitlines()
    assert "StateDirectory" not in systemd_unit(own)
    system = structs.replace(own, system_wide=True, user="postroad")
    assert "User=postroad" in systemd_unit(system).splitlines()
    assert "StateDirectory=postroad" in systemd_unit(system).splitlines()
    assert "RuntimeDirectory=postroad" in systemd_unit(system).splitlines()
    # A private /tmp is an empty one.
    hidden = make_plan("a.test", directory=Path("/tmp/mail"))
    assert "PrivateTmp=no" in systemd_unit(hidden).splitlines()
    assert "ProtectHome=read-only" in systemd_unit(
        make_plan("a.test", directory=Path("/home/jo/mail"))
    )


def test_quickstart_then_serve_then_send(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "mail"
    cli = Cli(directory / "postroad.toml", capsys)
    done = json.loads(
        cli("quickstart", "here.test", "--dir", str(directory), "--json", config=False)
    )
    (tmp_path / "password").write_text(done["password"])
    (tmp_path / "m.eml").write_text("Subject: hi\n\nhello\n.dot\n")
    text = re.sub(r'"\*:\d+"', '"127.0.0.1:0"', cli.config.read_text())
    cli.config.write_text(text)
    with Served(
        cli.config, environment(POSTROAD_SERVER__RUN_AS_ROOT="1", POSTROAD_TRUST__VERIFY="0")
    ) as served:
        ports = served.ports()
        send = ("send", str(tmp_path / "m.eml"), "--to", "postmaster@here.test")
        login = ("--user", "postmaster@here.test", "--password-file", str(tmp_path / "password"))
        me = ("--from", "postmaster@here.test")
        smtp = ("--server", f"127.0.0.1:{ports['submission']}")
        trust = ("--ca-file", done["certificate"])
        assert "250 2.0.0 Ok: queued as" in cli(*send, *me, *smtp, *login, "--insecure", "-v")
        assert "C: AUTH ********" in cli.error
        assert done["password"] not in cli.error
        assert "TLSv1.3" in cli.error
        implicit = ("--tls", "implicit", "--server", f"localhost:{ports['submissions']}")
        cli(*send, *me, *implicit, *login, *trust, code=69)
        assert "certificate not valid for localhost" in cli.error
        assert cli.json(*send, *me, *implicit, *login, "--insecure")["recipients"] == {
            "postmaster@here.test": "250 2.1.5 Ok"
        }
        cli(*send, *me, *smtp, "--insecure", code=69)
        assert "authentication" in cli.error.lower()
        (tmp_path / "password").write_text("wrong")
        cli(*send, *me, *smtp, *login, "--insecure", code=69)
        assert "535 5.7.8" in cli.error
        mx = ("--server", f"127.0.0.1:{ports['mx']}", "--tls", "none", "--from", "")
        cli(*send, "--to", "nobody@here.test", *mx, code=67)
        assert "nobody@here.test: 550 5.1.1" in cli.error
        served.signal(signal.SIGTERM)
        assert served.end() == 0
    cli(*send, *me, *smtp, "--tls", "none", code=75)
    assert "connection refused" in cli.error


def test_help_is_quick_and_imports_little() -> None:
    code = (
        "import sys; from postroad.cli.main import main; main(['--help']);"
        "heavy = {'apsw', 'dns', 'pydantic', 'uvloop', 'cryptography', 'asyncio'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    assert "quickstart" in done.stdout


def test_no_command_at_all_shows_help(cli: Cli) -> None:
    assert "quickstart" in cli(code=64, config=False)
    assert "retry" in cli("queue", code=64, config=False)


def test_version(cli: Cli) -> None:
    assert re.fullmatch(r"postroad \d+\.\d+\.\d+\n", cli("version", config=False))


def test_the_reference_is_up_to_date() -> None:
    text = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
    assert text == reference(), "run: python -m postroad.cli.reference"
