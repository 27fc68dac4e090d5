"""Where the how-tos and tutorials are played: a mail system of the lab with what each page tells of."""

import contextlib
import io
import json
import os
import re
import shlex
import smtplib
import ssl
import subprocess
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from peers.pebble import Pebble
from postroad.cli.main import main
from postroad.lab.dns import DnsFault
from postroad.lab.mailworld import Engine, MailWorld
from postroad.lab.zones import reverse_name
from postroad.message.dsn import Action, RecipientReport, Report, build_dsn
from postroad.model import Address, ApiScope, Reply, format_id
from postroad.trust.dmarc_report import (
    AggregateReport,
    DkimAuth,
    Letter,
    PolicyPublished,
    Row,
    SpfAuth,
    write_letter,
)
from tests.howto.console import comparable, shortened

ROOT = Path(__file__).resolve().parents[2]
HOST = "mail.example.org"
ADDRESS = "198.51.100.7"
CONFIG = """
[server]
hostname = "{host}"
data_dir = "{data}"
run_as_root = true
[tls]
certificate = "{certificate}"
key = "{key}"
ca_file = "{ca}"
[delivery]
allow_private = true
nameservers = ["{nameserver}"]
[log]
level = "error"
[tls_reports]
contact = "tls-reports@example.org"
"""
MESSAGE = "From: Jo <jo@example.org>\nTo: ann@remote.example, x@nowhere.example\nSubject: x\n\nHi\n"


REPORT = AggregateReport(
    org_name="example.net",
    email="postmaster@example.net",
    report_id="20261124.1@example.net",
    begin=1_795_478_400,
    end=1_795_564_799,
    policy=PolicyPublished(domain="example.org", p="none"),
    rows=(
        Row(
            source_ip=ADDRESS,
            count=5,
            disposition="none",
            dkim="pass",
            spf="pass",
            header_from="example.org",
            dkim_auth=(DkimAuth("example.org", "20261102r", "pass"),),
            spf_auth=(SpfAuth("example.org", "mfrom", "pass"),),
        ),
        Row(
            source_ip="203.0.113.10",
            count=2,
            disposition="none",
            dkim="fail",
            spf="fail",
            header_from="example.org",
            spf_auth=(SpfAuth("spoofed.example", "mfrom", "fail"),),
        ),
    ),
)


BOUNCE = build_dsn(
    Report(
        id=7,
        at=1_795_600_000.0,
        hostname="mx.there.test",
        to=Address("news", "example.org"),
        about=6,
        arrived_at=1_795_600_000.0,
        recipients=(
            RecipientReport(
                recipient=Address("jo", "there.test"),
                original=Address("jo", "there.test"),
                action=Action.FAILED,
                reply=Reply(550, "5.1.1", "no such user"),
                remote_mta="aspmx.l.google.com",
            ),
        ),
        returned=b"Message-ID: <20261125.1@example.org>\r\n\r\n",
    )
).data


def only(*kinds: str) -> Callable[[str], str]:
    """Return what leaves in a journey only lines of these kinds, and says that it did."""

    def excerpt(output: str) -> str:
        lines = output.splitlines()
        return "\n".join(
            ["…", *(line.strip() for line in lines if set(kinds) & set(line.split()[2:5]))]
        )

    return excerpt


class Clock:
    """Goes as clocks do, but for `pass_by`: so a page can wait an hour."""

    def __init__(self) -> None:
        self._real = time.time
        self._ahead = 0.0

    def __call__(self) -> float:
        return self._real() + self._ahead

    def pass_by(self, seconds: float) -> None:
        """Move on."""
        self._ahead += seconds


class Scene:
    """The system `mail.example.org` of the lab, its DNS, and a directory that commands run in."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stack = contextlib.ExitStack()
        self._counts: dict[str, int] = {}
        # What is to happen before a command is run for the n-th time.
        self.before: dict[tuple[str, int], Callable[[], None]] = {}
        # What of an output a page shows, by how the command begins.
        self.excerpts: dict[str, Callable[[str], str]] = {}
        # What the page's ids are called here: by what the command's word looks like.
        self.names: list[tuple[re.Pattern[str], Callable[[], str]]] = [
            (re.compile(r"\b20\d{6}(?=[er]\d*$)"), lambda: time.strftime("%Y%m%d", time.gmtime())),
        ]

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._stack = stack
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            here = Path.cwd()
            stack.callback(os.chdir, here)
            os.chdir(self._directory)
            self.engine = Engine(directory=self._directory / "lab")
            stack.callback(self.engine.close)
            self.world = MailWorld(self.engine)
            self.zones = self.engine.world.dns.zones
            self._set()
            self.clock = Clock()
            patch.setattr(time, "time", self.clock)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _set(self) -> None:
        world = self.engine.world
        site = self.engine.run(
            world.add_domain("example.org", ["jo", "dmarc"], hostname=HOST, dane=True)
        )
        self.site = site
        self.data = site.data_dir
        leaf = site.config.tls
        self.config = self._directory / "postroad.toml"
        self.config.write_text(
            CONFIG.format(
                host=HOST,
                data=self.data,
                certificate=leaf.certificate,
                key=leaf.key,
                ca=world.ca.root_file,
                nameserver=f"{world.dns.address}:{world.dns.port}",
            )
        )
        self.prepare()

    def prepare(self) -> None:
        """Do what the page takes for granted."""

    def say(self, command: str) -> str:
        """Run a command of the page and return what it said, as a page shows it."""
        number = self._counts[command] = self._counts.get(command, 0) + 1
        hook = self.before.get((command, number))
        if hook is not None:
            hook()
        program, *words = shlex.split(command, comments=True)
        assert program == "postroad", command
        output = shortened(self.run(*map(self._named, words)))
        output = output.replace(str(self.data), "/var/lib/postroad")
        output = output.replace(self.engine.world.dns.address, "127.0.0.1")
        for begin, excerpt in self.excerpts.items():
            if command.startswith(f"postroad {begin}"):
                output = excerpt(output)
        return output

    def compared(self, output: str) -> str | list[str]:
        """Return what has to be the same in the output of a page and of a command."""
        return comparable(output)

    def run(self, *words: str) -> str:
        """Run a command and return what it said to both outputs."""
        said = io.StringIO()
        options = [] if words[0] == "lab" else ["--config", str(self.config)]
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            main([*words, *options])
        return said.getvalue()

    def _named(self, word: str) -> str:
        for pattern, name in self.names:
            if pattern.search(word):
                return pattern.sub(name(), word)
        return word

    def publish(self, line: str) -> None:
        """Put a line of a zone file into the DNS."""
        name, _, rest = line.partition(" ")
        kind, _, data = rest.partition("IN ")[2].partition(" ")
        if kind == "TXT":
            data = "".join(re.findall(r'"([^"]*)"', data))
        self.zones.add(name.rstrip("."), kind, data)


class CheckADomain(Scene):
    """A domain about which not all is well, a message to two recipients, a report about it."""

    def prepare(self) -> None:
        letter = Letter("postmaster@example.net", "dmarc@example.org", "example.net", "x", "<1@x>")
        self.world.send("jo@example.org", "dmarc@example.org", write_letter(letter, REPORT))
        self.engine.run(self.engine.world.wait_for("dmarc@example.org"))
        self.run("key", "remove", "example.org", self._selector())
        zones = self.zones
        zones.sign("example.org", signed=False)
        zones.replace(HOST, "A", ADDRESS)
        zones.replace(HOST, "TXT")
        zones.replace("example.org", "TXT", "v=spf1 mx:old.example.net ~all")
        zones.replace("_dmarc.example.org", "TXT", "v=DMARC1; p=none")
        zones.add(reverse_name(ADDRESS), "PTR", "host-7.provider.example")
        zones.add("old.example.net", "MX", "10 old.example.net")
        zones.add("old.example.net", "A", "192.0.2.99")
        self.run("key", "add", "example.org")
        shown = self.run("key", "show", "example.org").splitlines()
        self.publish(next(line for line in shown if "k=rsa;" in line))
        self.run("key", "check", "example.org")
        zones.add("remote.example", "MX", "10 mx1.remote.example", "20 mx2.remote.example")
        zones.add("mx1.remote.example", "A", "192.0.2.10")
        zones.add("mx2.remote.example", "A", "192.0.2.11")
        self.engine.world.dns.fail("nowhere.example", DnsFault.SERVFAIL)
        Path("message.eml").write_text(MESSAGE)
        self.names.append((re.compile(r"^[0-9a-f]{10}$"), self._report_key))

    def _report_key(self) -> str:
        return self.run("reports", "list", "dmarc@example.org").splitlines()[1].split()[0]

    def _selector(self) -> str:
        name = self.run("key", "list", "example.org").splitlines()[1].split()[1]
        self.run("key", "retire", "example.org", name, "--force")
        self.zones.remove(f"{name}._domainkey.example.org")
        return name


class SignYourMail(Scene):
    """A domain whose first keys are made, published, used, and followed by others."""

    def prepare(self) -> None:
        self.run("domain", "add", "example.net")
        self.before = {
            ("postroad key check example.net", 2): self._publish_all,
            ("postroad key check example.net", 3): self._publish_all,
            ("postroad key list example.net", 3): lambda: self.clock.pass_by(3601),
        }
        world = self.engine.world
        self.engine.run(world.add_domain("sender.test", ["alice"]))
        self._sent = self.world.send("alice@sender.test", "jo@example.org")
        self.engine.run(world.wait_for("jo@example.org"))
        arrived = self.engine.run(self.site.office.journeys.find(address="jo@example.org"))
        self._id = format_id(arrived[0].id)
        self.names.append((re.compile(r"^[0-9A-Z]{13}$"), lambda: self._id))
        self.excerpts[r"journey "] = only("check")

    def _publish_all(self) -> None:
        for line in self.run("key", "show", "example.net").splitlines():
            if not line.startswith(";") and line.split()[0].rstrip(".") not in self._published():
                self.publish(line)

    def _published(self) -> set[str]:
        return {
            line.split()[0].rstrip(".") for line in self.zones if "_domainkey.example.net" in line
        }


class ProtectTheLink(Scene):
    """The lab shows what links are; a domain of ours has a policy to publish."""

    def prepare(self) -> None:
        self.excerpts["lab"] = only("lookup", "link")


class HandleBounces(Scene):
    """A bounce in a file, and a stream that keeps a list."""

    def prepare(self) -> None:
        Path("bounce.eml").write_bytes(BOUNCE)
        with self.config.open("a") as file:
            file.write('[streams.news]\nsenders = ["news@example.org"]\nsuppression = true\n')


STREAMS = """
[streams.codes]
kind = "transactional"
senders = "codes@example.org"
unknown = "hold"
retry_first_seconds = 10
lifetime_seconds = "10m"
[streams.news]
kind = "broadcast"
senders = "news@example.org"
dkim_domain = "example.org"
unsubscribe_domain = "news.example.org"
unsubscribe_address = "leave@example.org"
track_clicks = true
tracking_domain = "go.example.org"
"""
NEWSLETTER = b"""\
From: news@example.org\r
To: subscribers:;\r
Subject: Spring\r
Date: Wed, 25 Nov 2026 13:00:00 +0000\r
Message-ID: <spring@example.org>\r
Content-Type: text/html\r
\r
<p>Spring is <a href="https://example.org/spring">here</a>.</p>\r
<p><a href="https://news.example.org/u/">Unsubscribe</a></p>\r
"""


class SendNewsletters(Scene):
    """A newsletter that was delivered; one of its readers has followed a link."""

    def prepare(self) -> None:
        with self.config.open("a") as file:
            file.write(STREAMS)
        run, world, site = self.engine.run, self.engine.world, self.site
        run(site.add_account("news@example.org"))
        run(world.add_domain("remote.example", ["ann"]))
        run(site.stop())
        sections = site.config.model_dump()
        sections["streams"] = tomllib.loads(STREAMS)["streams"]
        sections["listen"]["http"] = ["127.0.0.1:0"]
        site.config = type(site.config).model_validate(sections)
        run(site.start())
        host, port = site.system.listening["http"][0]
        self.url = f"http://{host}:{port}"
        self.sent = run(world.send("news@example.org", "ann@remote.example", NEWSLETTER))
        (letter,) = run(world.wait_for("ann@remote.example"))
        run(world.settled(self.sent))
        (leave,) = re.findall(rb"<https://news\.example\.org(/u/[^>]+)>", letter)
        assert letter.count(leave) == 2
        (click,) = re.findall(rb"https://go\.example\.org(/c/[^\"]+)\"", letter)
        self.clicked = False
        self.click = self.url + click.decode()
        key = run(site.office.api_keys.add("docs", tuple(ApiScope)))
        Path("list.csv").write_text(
            "address,stream\nx@remote.example,news\ny@remote.example,news\n"
        )
        self.names = [
            (re.compile(r"^\w{13}$"), lambda: self.sent),
            (re.compile(r"/u/TOKEN$"), leave.decode),
            (re.compile(r"^http://127\.0\.0\.1:8025(?=/)"), lambda: self.url),
            (re.compile(r"\$KEY"), lambda: key),
        ]
        self.excerpts["journey"] = only("clicked", "unsubscribed", "delivered")
        self.excerpts["curl"] = lambda output: re.sub(
            r'(?<=,since\n)(.*\n?)+|(?<="suppressions":\[).+(?=\])', "…", output.replace("\r", "")
        )

    def run(self, *words: str) -> str:
        """Run a command of ours, or curl."""
        return self._curl(*words[1:]) if words[0] == "curl" else super().run(*words)

    def say(self, command: str) -> str:
        """Run a command of the page. Before the first one, a minute goes by, and a reader clicks."""
        if not self.clicked:
            self.clicked = True
            self.clock.pass_by(60)
            self._curl("-H", "Host: go.example.org", "-A", "Mozilla/5.0 (X11)", self.click)
        if not command.startswith("curl "):
            return super().say(command)
        words = [self._named(self._named(each)) for each in shlex.split(command)]
        return self.excerpts["curl"](shortened(self.run(*words)))

    def _curl(self, *words: str) -> str:
        done = subprocess.run(["curl", "-s", *words], capture_output=True, text=True, check=True)
        return done.stdout


class WatchYourMail(Scene):
    """A message to two recipients, one of whom is refused."""

    def prepare(self) -> None:
        world = self.engine.world
        host = world.host(
            "mx.there.test",
            "permfail",
            domain="there.test",
            reply=Reply(550, "5.1.1", "no such user"),
            times=1,
        )
        self.zones.add_zone("there.test")
        self.engine.run(host)
        sent = self.world.send("jo@example.org", ["ann@there.test", "bob@there.test"])
        self.engine.run(world.settled(str(sent)))
        self.names.append((re.compile(r"^[0-9A-Z]{13}$"), lambda: str(sent)))
        self.excerpts["top"] = lambda output: output[output.index("Failures of late") :]


class BackUpAndRestore(Scene):
    """Two messages, one of them large; a backup that is damaged later; a machine with an empty disk."""

    def prepare(self) -> None:
        for text in ("small", "0123456789abcdef\r\n" * 20_000):
            message = f"From: jo@example.org\r\nTo: jo@example.org\r\n\r\n{text}\r\n"
            self.world.send("jo@example.org", "jo@example.org", message.encode())
        self.engine.run(self.engine.world.wait_for("jo@example.org", count=2))
        self.before["postroad verify-data backup", 2] = self._damage
        self.before["postroad restore backup", 2] = self._move

    def _damage(self) -> None:
        (self.path,) = Path("backup").glob("content/*/*")
        self.was = self.path.read_bytes()
        self.path.write_bytes(self.was[:-5] + b"!" + self.was[-4:])

    def _move(self) -> None:
        self.path.write_bytes(self.was)
        elsewhere = self._directory / "elsewhere"
        text = self.config.read_text()
        self.config.write_text(text.replace(str(self.data), str(elsewhere)))
        self.data = elsewhere

    def compared(self, output: str) -> str:
        """How large the database is does not matter, nor the folder, which goes by the id."""
        output = re.sub(r"content/\w\w/", "content/ID/", comparable(output))
        return re.sub(r"\d+\.\d [KM]iB|\d+(?= octets)", "SIZE", output)


class SendLater(Scene):
    """A message handed in as the page shows it."""

    def prepare(self) -> None:
        page = (ROOT / "docs/howto/send-later.md").read_text(encoding="utf-8")
        (code,) = re.findall(r"```python\n(.*?)```", page, re.S)
        names: dict[str, Any] = {}
        exec(code, names)
        account = next(each for each in self.site.accounts if each.address == "jo@example.org")
        host, port = self.site.submission
        with smtplib.SMTP(host, port) as client:
            context = ssl.create_default_context(cafile=str(self.engine.world.ca.root_file))
            context.check_hostname = False
            client.starttls(context=context)
            client.login(account.address, account.password)
            letter = b"From: jo@example.org\r\nSubject: Happy birthday\r\n\r\nHi\r\n"
            names["send_later"](client, "jo@example.org", "ann@remote.example", letter)
        queue = json.loads(self.run("queue", "list", "--json"))
        self._id = queue["deliveries"][0]["id"]
        later = time.strftime("%Y-%m-%dT18:00", time.gmtime(time.time() + 10 * 86_400))
        self.names.append((re.compile(r"^[0-9A-Z]{13}$"), lambda: self._id))
        self.names.append((re.compile(r"^2026-12-24T18:00$"), lambda: later))
        self.excerpts["journey"] = only("scheduled")


class SendFromTemplates(Scene):
    """The files that the page shows, each behind its name."""

    def prepare(self) -> None:
        page = (ROOT / "docs/howto/send-from-templates.md").read_text(encoding="utf-8")
        for name, content in re.findall(
            r"`([a-z]+\.[a-z]+)`[^`]*?:\n\n```\w+\n(.*?)```", page, re.S
        ):
            Path(name).write_text(content, encoding="utf-8")


ACME = """
[server]
hostname = "{host}"
data_dir = "{data}"
run_as_root = true
[tls]
acme = "http-01"
[acme]
terms_agreed = true
directory = "{directory}"
ca_file = "{ca}"
[delivery]
nameservers = ["{nameserver}"]
"""


class Certificates(Scene):
    """A certificate of Pebble, and then nobody who answers on port 80."""

    def prepare(self) -> None:
        world = self.engine.world
        self.zones.replace(HOST, "A", "127.0.0.1")
        leaf = world.ca.issue("127.0.0.1")
        nameserver = f"{world.dns.address}:{world.dns.port}"
        pebble = Pebble(leaf.certificate, leaf.key, world.ca.root_file, dns=nameserver)
        self._stack.enter_context(pebble)
        self.config.write_text(
            ACME.format(
                host=HOST,
                data=self.data,
                directory=pebble.directory_url,
                ca=world.ca.root_file,
                nameserver=nameserver,
            )
        )
        with answering(pebble.http_port, self.data / "acme/challenges"):
            said = self.run("certificate", "renew", "--force")
        assert "state    good" in said, said
        # Pebble asks on a port of ours, where others ask on port 80.
        port = f":{pebble.http_port}"
        self.excerpts["certificate renew"] = lambda output: output.replace(
            f"{HOST}{port}", HOST
        ).replace(port, ":80")
        # An authority may believe an account for a while what it has proven: a new one has to prove it.
        account = self.data / "acme/account.pem"
        self.before["postroad certificate renew --force", 1] = account.unlink


@contextlib.contextmanager
def answering(port: int, directory: Path) -> Iterator[None]:
    """Answer an authority that asks for proofs, as a server of ours does on port 80."""

    class Proofs(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            file = directory / Path(self.path).name
            self.send_response(200 if file.exists() else 404)
            self.end_headers()
            if file.exists():
                self.wfile.write(file.read_bytes())

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", port), Proofs) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


class TheLab(Scene):
    """The lab itself, as `make` starts it. Each teller is in order, and side by side with others."""

    def say(self, command: str) -> str:
        """Run what `make` would run."""
        program, *words = shlex.split(command)
        assert program == "make", command
        done = subprocess.run(
            [program, "--dry-run", "--no-print-directory", *words],
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
            capture_output=True,
            text=True,
            check=True,
        )
        (told,) = re.findall(r"^\S+/bin/(postroad .*)$", done.stdout, re.MULTILINE)
        return super().say(told)

    def compared(self, output: str) -> list[str]:
        """Return the lines of each teller in their order."""
        lines = re.sub(r"\d+ octets", "N octets", comparable(output)).splitlines()
        return sorted(map(str.strip, lines), key=lambda line: line.split()[2:3])


SCENES: dict[str, type[Scene]] = {
    "howto/back-up-and-restore.md": BackUpAndRestore,
    "howto/certificates.md": Certificates,
    "howto/check-a-domain.md": CheckADomain,
    "howto/handle-bounces.md": HandleBounces,
    "howto/protect-the-link.md": ProtectTheLink,
    "howto/send-newsletters.md": SendNewsletters,
    "howto/send-from-templates.md": SendFromTemplates,
    "howto/send-later.md": SendLater,
    "howto/sign-your-mail.md": SignYourMail,
    "howto/watch-your-mail.md": WatchYourMail,
    "tutorial/lab.md": TheLab,
}
