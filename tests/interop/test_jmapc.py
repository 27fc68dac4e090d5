"""The whole way of a letter with an independent client: jmapc, over TLS, against a running server."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import jmapc
import pytest
import requests
from jmapc import (
    Address,
    Comparator,
    Email,
    EmailAddress,
    EmailBodyPart,
    EmailBodyValue,
    EmailQueryFilterCondition,
    EmailSubmission,
    Envelope,
    MailboxQueryFilterCondition,
    Ref,
)
from jmapc.methods import (
    CoreEcho,
    EmailChanges,
    EmailGet,
    EmailQuery,
    EmailQueryChanges,
    EmailSet,
    EmailSubmissionSet,
    IdentityGet,
    MailboxGet,
    MailboxQuery,
    SearchSnippetGet,
    ThreadGet,
)

from postroad.lab.ca import Authority
from postroad.model import Address as MailAddress
from tests.unit.web.site import Site, running

PASSWORD = "a long enough password"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[tuple[Site, Path]]:
    authority = Authority(tmp_path / "ca")
    leaf = authority.issue("localhost", "127.0.0.1")
    tls = {"certificate": leaf.certificate, "key": leaf.key}
    listen = {"https": ["127.0.0.1:0"], "pop3": ["127.0.0.1:0"]}
    async with running(tmp_path / "site", tls=tls, listen=listen) as opened:
        yield opened, authority.root_file


class Person:
    """Somebody with a mail client."""

    def __init__(self, site: Site, ca: Path, name: str) -> None:
        host, port = site.system.listening["https"][0]
        self.address = f"{name}@here.test"
        self.client = jmapc.Client.create_with_password(f"{host}:{port}", self.address, PASSWORD)
        self.client.requests_session.verify = str(ca)
        self.client.requests_session.trust_env = False  # or it would trust somebody else

    def ask(self, *methods: Any) -> Any:
        found = self.client.request(list(methods), raise_errors=True)
        return [each.response for each in found]

    def mailbox(self, role: str) -> str:
        (found,) = self.ask(MailboxQuery(filter=MailboxQueryFilterCondition(role=role)))
        return str(found.ids[0])

    def inbox(self, **conditions: Any) -> list[Email]:
        where = EmailQueryFilterCondition(in_mailbox=self.mailbox("inbox"), **conditions)
        _, found = self.ask(
            EmailQuery(filter=where, sort=[Comparator("receivedAt", is_ascending=False)], limit=50),
            EmailGet(ids=Ref("/ids"), fetch_text_body_values=True),
        )
        emails: list[Email] = found.data
        return emails

    def send(self, to: str, subject: str, text: str, attached: Path | None = None) -> Any:
        attachments = None
        if attached is not None:
            blob = self.client.upload_blob(attached)
            attachments = [EmailBodyPart(blob_id=blob.id, type=blob.type, name=attached.name)]
        drafts, sent = self.mailbox("drafts"), self.mailbox("sent")
        (identities,) = self.ask(IdentityGet(ids=None))
        draft = Email(
            mail_from=[EmailAddress(name="Ann Ä", email=self.address)],
            to=[EmailAddress(email=to)],
            subject=subject,
            keywords={"$draft": True, "$seen": True},
            mailbox_ids={drafts: True},
            body_values={"t": EmailBodyValue(value=text)},
            text_body=[EmailBodyPart(part_id="t", type="text/plain")],
            attachments=attachments,
            headers=None,
        )
        made, submitted, moved = self.ask(
            EmailSet(create={"d": draft}),
            EmailSubmissionSet(
                create={
                    "s": EmailSubmission(
                        email_id="#d",
                        identity_id=identities.data[0].id,
                        envelope=Envelope(
                            mail_from=Address(email=self.address), rcpt_to=[Address(email=to)]
                        ),
                    )
                },
                on_success_update_email={
                    "#s": {
                        f"mailboxIds/{drafts}": None,
                        f"mailboxIds/{sent}": True,
                        "keywords/$draft": None,
                    }
                },
            ),
        )
        assert made.not_created is None
        assert submitted.not_created is None
        assert moved.not_updated is None
        return submitted.created["s"]


async def as_people(work: Callable[..., None], *arguments: Any) -> None:
    await asyncio.to_thread(work, *arguments)


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)
    return found


def the_way_of_a_letter(ann: Person, bob: Person, directory: Path) -> None:
    (echo,) = ann.ask(CoreEcho(data={"hello": [1, 2]}))
    assert echo.data == {"hello": [1, 2]}
    (boxes,) = ann.ask(MailboxGet(ids=None))
    assert {box.role for box in boxes.data} == {
        "inbox", "sent", "drafts", "archive", "junk", "trash"
    }  # fmt: skip
    picture = directory / "Bild ü.png"
    picture.write_bytes(bytes(range(256)) * 4000)
    ann.send(bob.address, "Grüße aus Köln", "Hällo Bob,\nsee the picture.\n", picture)
    (arrived,) = until(bob.inbox)
    assert arrived.subject == "Grüße aus Köln"
    assert arrived.mail_from[0].name == "Ann Ä"
    assert arrived.has_attachment
    (value,) = arrived.body_values.values()
    assert value.value == "Hällo Bob,\nsee the picture.\n"
    (attachment,) = arrived.attachments
    assert (attachment.name, attachment.size) == (picture.name, 1_024_000)
    bob.client.download_attachment(attachment, directory / "got.png")
    assert (directory / "got.png").read_bytes() == picture.read_bytes()
    (sent,) = ann.ask(EmailQuery(filter=EmailQueryFilterCondition(in_mailbox=ann.mailbox("sent"))))
    assert len(sent.ids) == 1


def searching_flagging_moving(ann: Person, bob: Person) -> None:
    (first,) = until(bob.inbox)
    (state,) = bob.ask(EmailGet(ids=[]))
    bob.send(ann.address, "Re: Grüße aus Köln", "Thanks for the marvellous picture\n")
    (answer,) = until(lambda: ann.inbox(text="marvellous"))
    where = EmailQueryFilterCondition(text="marvellous")
    (snippets,) = ann.ask(SearchSnippetGet(ids=[answer.id], filter=where))
    assert "<mark>marvellous</mark>" in snippets.data[0].preview
    assert ann.inbox(text="nowhere") == []
    ann.send(bob.address, "Second", "Another one\n")
    second, _ = until(lambda: len(found := bob.inbox()) == 2 and found)
    inbox, trash = bob.mailbox("inbox"), bob.mailbox("trash")
    query = EmailQueryFilterCondition(in_mailbox=inbox)
    (before,) = bob.ask(EmailQuery(filter=query))
    (changed,) = bob.ask(
        EmailSet(
            update={
                first.id: {"keywords/$seen": True, "keywords/$flagged": True},
                second.id: {"mailboxIds": {trash: True}},
            }
        )
    )
    assert changed.not_updated is None
    assert [each.id for each in bob.inbox(has_keyword="$flagged")] == [first.id]
    (changes,) = bob.ask(EmailChanges(since_state=state.state))
    assert {first.id} <= set(changes.updated)
    assert second.id in changes.created
    (told,) = bob.ask(EmailQueryChanges(filter=query, since_query_state=before.query_state))
    assert second.id in told.removed
    assert [each.id for each in told.added] == [first.id]
    (threads,) = bob.ask(ThreadGet(ids=[first.thread_id]))
    assert first.id in threads.data[0].email_ids
    (gone,) = bob.ask(EmailSet(destroy=[second.id]))
    assert gone.destroyed == [second.id]


async def test_the_way_of_a_letter(site: tuple[Site, Path], tmp_path: Path) -> None:
    opened, ca = site
    ann, bob = Person(opened, ca, "ann"), Person(opened, ca, "bob")
    await as_people(the_way_of_a_letter, ann, bob, tmp_path)
    await as_people(searching_flagging_moving, ann, bob)
    account = await opened.system.accounts.get(MailAddress("bob", "here.test"))
    listing = await opened.system.store.mailboxes.listing(account.inbox)
    assert listing is not None
    assert list(listing.uids) == [1], "POP3 sees the same Inbox, with the same uids"


async def test_wrong_requests_are_told(site: tuple[Site, Path]) -> None:
    opened, ca = site
    ann = Person(opened, ca, "ann")

    def work() -> None:
        found = ann.client.request([EmailChanges(since_state="x")], raise_errors=False)
        assert isinstance(found[0].response, jmapc.Error)
        assert found[0].response.type == "cannotCalculateChanges"
        stranger = Person(opened, ca, "ann")
        stranger.client.requests_session.auth = (stranger.address, "wrong")
        with pytest.raises(requests.HTTPError, match="401"):
            _ = stranger.client.jmap_session

    await as_people(work)
