"""Letters to look at: a mailbox as people have them, made without chance."""

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import httpx
from msgspec import Struct

from postroad.model import Address, Envelope, Origin, Recipient, ServerKind
from tests.browser.conftest import PASSWORD, Running

USING = [f"urn:ietf:params:jmap:{name}" for name in ("core", "mail", "submission")]
SENDERS = (
    ("Mira Lindqvist", "mira@atelier.test"),
    ("Jonas Weber", "jonas.weber@stadtbau.test"),
    ("The Garden Club", "hello@garden.test"),
    ("Aiko Tanaka", "aiko@paperworks.test"),
    ("Samuel Okafor", "sam@okafor.test"),
    ("Railways", "tickets@rail.test"),
    ("Lena Fischer", "lena@fischer.test"),
)
TOPICS = (
    ("Sketches for the reading room", "The second version has the light that we talked about."),
    ("Saturday at the lake?", "We could take the early train and be back before dark."),
    ("Your ticket to Uppsala", "Coach 4, seat 31, by the window. Have it ready on your phone."),
    ("Minutes of Tuesday", "Thank you all for coming. What we decided is below, with names."),
    ("Seeds have arrived", "Beans, chard and the old lettuce are here. Come by on Thursday."),
    ("Invoice 2026-114", "Please find the invoice attached. Payable within 30 days."),
    ("A question about the contract", "Page three says two years, but we agreed on one."),
    ("Photos from the summer", "Finally sorted! The one with the red boat is my favourite."),
)


class Letter(Struct, frozen=True):
    """The bytes, when they came, and whether they were read."""

    data: bytes
    received: datetime
    read: bool
    starred: bool = False


def letters(count: int, now: datetime | None = None) -> list[Letter]:
    """Return letters, the newest first; some answer each other, some have files or HTML."""
    now = now or datetime.now(UTC)
    found = []
    for number in range(count):
        name, address = SENDERS[number % len(SENDERS)]
        subject, text = TOPICS[number % len(TOPICS)]
        message = EmailMessage()
        message["From"] = f"{name} <{address}>"
        message["To"] = "Ann Berg <ann@here.test>"
        at = now - timedelta(minutes=17 + 143 * number)
        message["Date"] = at
        message["Message-ID"] = f"<letter-{number}@letters.test>"
        if number % 8 == 0 and number + 8 < count:
            subject = f"Re: {subject}"
            message["In-Reply-To"] = message["References"] = f"<letter-{number + 8}@letters.test>"
        message["Subject"] = subject
        message.set_content(f"Hello Ann,\n\n{text}\n\nBest\n{name}\n")
        if number % 3 == 0:
            message.add_alternative(
                f"<p>Hello Ann,</p><p>{text}</p><ul><li>first the plan</li>"
                f"<li>then the work</li></ul><p>Best<br><b>{name}</b></p>",
                subtype="html",
            )
        if number % 5 == 0:
            pdf = b"%PDF-1.4\n" + bytes(40_000)
            message.add_attachment(pdf, maintype="application", subtype="pdf", filename="plan.pdf")
        data = message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        found.append(Letter(data, at, read=number % 4 != 1, starred=number % 9 == 2))
    return found


class Reader:
    """Somebody who reads by JMAP, without a browser."""

    def __init__(self, server: Running, name: str) -> None:
        self.auth = (f"{name}@here.test", PASSWORD)
        self.url = server.url
        session = httpx.get(f"{self.url}/jmap/session", auth=self.auth)
        self.account = session.json()["primaryAccounts"][USING[1]]

    def call(self, method: str, **given: Any) -> dict[str, Any]:
        """Return what a method answers."""
        body = {
            "using": USING,
            "methodCalls": [[method, {"accountId": self.account, **given}, "0"]],
        }
        answer = httpx.post(f"{self.url}/jmap/api", json=body, auth=self.auth, timeout=60)
        ((name, told, _),) = answer.json()["methodResponses"]
        assert name == method, told
        found: dict[str, Any] = told
        return found

    def mailbox(self, role: str) -> str:
        """Return the id of a mailbox."""
        boxes = self.call("Mailbox/get", ids=None)["list"]
        return str(next(box["id"] for box in boxes if box["role"] == role))

    def inbox(self) -> list[dict[str, Any]]:
        """Return what is in the Inbox, the newest first."""
        return self.emails("inbox")

    def emails(self, role: str) -> list[dict[str, Any]]:
        """Return what is in a mailbox, the newest first."""
        ids = self.call("Email/query", filter={"inMailbox": self.mailbox(role)})["ids"]
        found: list[dict[str, Any]] = self.call("Email/get", ids=ids, fetchTextBodyValues=True)[
            "list"
        ]
        return sorted(found, key=lambda each: ids.index(each["id"]))


def put(server: Running, name: str, given: list[Letter], role: str = "inbox") -> None:
    """Put letters into a mailbox."""
    reader = Reader(server, name)
    box = reader.mailbox(role)
    wanted = {}
    for number, letter in enumerate(given):
        upload = httpx.post(
            f"{server.url}/jmap/upload/{reader.account}",
            content=letter.data,
            headers={"Content-Type": "message/rfc822"},
            auth=reader.auth,
        )
        keywords = {"$seen": True} if letter.read else {}
        if letter.starred:
            keywords["$flagged"] = True
        wanted[f"l{number}"] = {
            "blobId": upload.json()["blobId"],
            "mailboxIds": {box: True},
            "keywords": keywords,
            "receivedAt": letter.received.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    told = reader.call("Email/import", emails=wanted)
    assert len(told["created"]) == len(given), told


def arrive(server: Running, name: str, subject: str, text: str) -> None:
    """Have a letter arrive as from outside: on return it is accepted."""
    letter = (
        f"From: Mira Lindqvist <mira@atelier.test>\r\nTo: {name}@here.test\r\n"
        f"Subject: {subject}\r\nMessage-ID: <{subject.replace(' ', '-')}@letters.test>\r\n\r\n{text}\r\n"
    )
    envelope = Envelope(None, (Recipient(Address(name, "here.test")),))
    origin = Origin(ServerKind.LOCAL)
    reply = server.run(server.site.system.intake.submit(envelope, letter.encode(), origin))
    assert reply.code == 250
