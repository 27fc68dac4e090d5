"""Emails are made, marked, moved and destroyed."""

from typing import Any

import pytest

from postroad.message.mime import MimeMessage
from postroad.model import Expunged, Moved
from tests.contracts.stores import INBOX, commit
from tests.unit.service.jmap.reader import MethodRefused, Reader, letter


async def email(reader: Reader, number: str, *properties: str, **more: Any) -> dict[str, Any]:
    found = await reader.call("Email/get", ids=[number], properties=properties or None, **more)
    (only,) = found["list"]
    return dict(only)


async def content(reader: Reader, number: str) -> bytes:
    from tests.unit.service.jmap.reader import ACCOUNT

    found = await reader.jmap.download(ACCOUNT, reader.account_id, number)
    assert found is not None
    return b"".join([piece async for piece in found[1]])


async def test_a_draft_is_made_and_read() -> None:
    reader = await Reader.open()
    number = await reader.file(
        "Drafts",
        "$draft",
        "$seen",
        **{
            "from": [{"name": "Ann Ä", "email": "ann@example.org"}],
            "to": [
                {"name": None, "email": "bob@far.example"},
                {"name": "C, D", "email": "c@d.test"},
            ],
            "subject": "Grüße, " + "lang " * 40,
            "inReplyTo": ["1@far.example"],
            "header:X-Own:asText": "own",
            "sentAt": "2026-11-25T12:00:00+02:00",
            "receivedAt": "2026-11-20T08:00:00Z",
            "textBody": [{"partId": "t", "type": "text/plain"}],
            "htmlBody": [{"partId": "h", "type": "text/html"}],
            "bodyValues": {"t": {"value": "Hällo\n\n.dot\n"}, "h": {"value": "<p>Hällo</p>"}},
        },
    )
    found = await email(
        reader,
        number,
        "from",
        "to",
        "subject",
        "inReplyTo",
        "keywords",
        "receivedAt",
        "sentAt",
        "textBody",
        "htmlBody",
        "bodyValues",
        "preview",
        "hasAttachment",
        "messageId",
        "header:x-own:asText",
        fetchAllBodyValues=True,
    )
    assert found["from"] == [{"name": "Ann Ä", "email": "ann@example.org"}]
    assert [each["name"] for each in found["to"]] == [None, "C, D"]
    assert found["subject"] == ("Grüße, " + "lang " * 40).strip()
    assert found["inReplyTo"] == ["1@far.example"]
    assert found["keywords"] == {"$draft": True, "$seen": True}
    assert found["receivedAt"] == "2026-11-20T08:00:00Z"
    assert found["sentAt"] == "2026-11-25T12:00:00+02:00"
    assert found["preview"] == "Hällo .dot"
    assert found["header:x-own:asText"] == "own"
    assert not found["hasAttachment"]
    assert len(found["messageId"]) == 1
    values = [found["bodyValues"][part["partId"]]["value"] for part in found["textBody"]]
    assert values == ["Hällo\n\n.dot\n"]
    data = await content(reader, number)
    assert data.isascii()
    assert all(len(line) <= 998 for line in data.split(b"\r\n"))
    assert data.count(b"\n") == data.count(b"\r\n") == data.count(b"\r")
    assert MimeMessage(data).root.media_type == "multipart/alternative"


async def test_attachments_come_from_uploads_and_other_emails() -> None:
    reader = await Reader.open()
    from tests.unit.service.jmap.reader import ACCOUNT
    from tests.unit.service.jmap.test_jmap import pieces

    binary = bytes(range(256)) * 5
    blob = (await reader.jmap.upload(ACCOUNT, "image/png", pieces(binary)))["blobId"]
    number = await reader.file(
        "Drafts",
        subject="files",
        htmlBody=[{"partId": "1", "type": "text/html"}],
        bodyValues={"1": {"value": '<img src="cid:pic">'}},
        attachments=[
            {"blobId": blob, "type": "image/png", "cid": "pic", "disposition": "inline"},
            {"blobId": blob, "type": "application/x", "name": "Übersicht " + "x" * 80 + ".bin"},
        ],
    )
    found = await email(reader, number, "attachments", "bodyStructure", "hasAttachment")
    assert found["hasAttachment"]
    inline, attached = found["attachments"]
    assert (inline["cid"], inline["disposition"], inline["type"]) == ("pic", "inline", "image/png")
    assert attached["name"] == "Übersicht " + "x" * 80 + ".bin"
    assert attached["size"] == len(binary)
    assert await content(reader, attached["blobId"]) == binary
    assert found["bodyStructure"]["type"] == "multipart/mixed"
    again = await reader.file(
        "Drafts", attachments=[{"blobId": attached["blobId"], "type": "application/x"}]
    )
    (copied,) = (await email(reader, again, "attachments"))["attachments"]
    assert await content(reader, copied["blobId"]) == binary


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"mailboxIds": {}}, "invalidProperties"),
    ({"mailboxIds": {"m0000000000001": True}}, "invalidProperties"),
    ({"mailboxIds": {"INBOX": True, "TRASH": True}}, "tooManyMailboxes"),
    ({"keywords": {"a b": True}}, "invalidProperties"),
    ({"keywords": {"a": False}}, "invalidProperties"),
    ({"keywords": {f"k{n}": True for n in range(101)}}, "tooManyKeywords"),
    ({"receivedAt": "yesterday"}, "invalidProperties"),
    ({"subject": 7}, "invalidProperties"),
    ({"subject": "a\r\nBcc: eve@far.example"}, ""),
    ({"subject": "a\x00b"}, "invalidProperties"),
    ({"from": [{"email": "no address"}]}, "invalidProperties"),
    ({"from": [{"email": "a@b>\r\nX: y"}]}, "invalidProperties"),
    ({"header:X": " a\r\nBcc: eve@far.example"}, "invalidProperties"),
    ({"header:Content-Type": "text/x"}, "invalidProperties"),
    ({"subject": "a", "header:Subject": "b"}, "invalidProperties"),
    ({"header:From:asDate": "2026-11-25T12:00:00Z"}, "invalidProperties"),
    ({"messageId": ["a b"]}, "invalidProperties"),
    ({"sentAt": "2026-11-25T12:00:00"}, "invalidProperties"),
    ({"size": 3}, "invalidProperties"),
    ({"textBody": []}, "invalidProperties"),
    ({"textBody": [{"partId": "1"}]}, "invalidProperties"),
    ({"textBody": [{"partId": "1", "blobId": "u"}]}, "invalidProperties"),
    ({"bodyStructure": {"type": "multipart/mixed"}}, "invalidProperties"),
    ({"bodyStructure": {"partId": "1"}, "textBody": []}, "invalidProperties"),
    ({"bodyValues": {"1": {"value": "x", "isTruncated": True}}}, "invalidProperties"),
    ({"attachments": [{"blobId": "u0000000000001", "type": "a/b"}]}, "blobNotFound"),
    ({"attachments": [{"blobId": "u0000000000001", "type": "a\r\n/b"}]}, "invalidProperties"),
]


@pytest.mark.parametrize(("given", "kind"), WRONG, ids=lambda value: str(value)[:40])
async def test_what_cannot_be_made(given: dict[str, Any], kind: str) -> None:
    reader = await Reader.open()
    boxes = await reader.boxes()
    named = {"INBOX": boxes["Inbox"], "TRASH": boxes["Trash"]}
    given = dict(given)
    ids = given.pop("mailboxIds", {"TRASH": True})
    ids = {named.get(name, name): value for name, value in ids.items()}
    told = await reader.call("Email/set", create={"x": {"mailboxIds": ids, **given}})
    if not kind:
        # A line end in a text becomes a space, and cannot begin another field.
        number = told["created"]["x"]["id"]
        assert (await email(reader, number, "bcc", "subject"))["bcc"] is None
        return
    assert told["created"] is None
    assert told["notCreated"]["x"]["type"] == kind
    assert told["oldState"] == told["newState"]


async def test_keywords_and_moves() -> None:
    reader = await Reader.open()
    for subject in ("one", "two", "three"):
        await reader.arrive(letter(subject))
    boxes = await reader.boxes()
    three, two, one = await reader.ids()
    told = await reader.call(
        "Email/set",
        update={
            one: {"keywords/$seen": True, "keywords/Work": True},
            two: {
                "keywords": {"$flagged": True},
                f"mailboxIds/{boxes['Trash']}": True,
                f"mailboxIds/{boxes['Inbox']}": None,
            },
            three: {"mailboxIds": {boxes["Junk"]: True}},
            "e0000000000001": {"keywords/a": True},
        },
    )
    assert set(told["updated"]) == {one, two, three}
    assert told["notUpdated"]["e0000000000001"]["type"] == "notFound"
    assert (await email(reader, one, "keywords"))["keywords"] == {"$seen": True, "work": True}
    assert (await email(reader, two, "keywords", "mailboxIds")) == {
        "id": two,
        "keywords": {"$flagged": True},
        "mailboxIds": {boxes["Trash"]: True},
    }
    assert await reader.ids(filter={"inMailbox": boxes["Junk"]}) == [three]
    counts = {each["name"]: each for each in (await reader.call("Mailbox/get"))["list"]}
    assert (counts["Inbox"]["totalEmails"], counts["Inbox"]["unreadEmails"]) == (1, 0)
    assert (counts["Junk"]["totalEmails"], counts["Junk"]["unreadThreads"]) == (1, 1)
    journey = [event.change for event in await reader.store.journey.after(0)]
    assert {change.by for change in journey if isinstance(change, Moved)} == {
        "Ann@example.org (JMAP)"
    }


@pytest.mark.parametrize(
    ("patch", "kind"),
    [
        ({"subject": "new"}, "invalidProperties"),
        ({"size": 1}, "invalidProperties"),
        ({"mailboxIds": {}}, "invalidProperties"),
        ({"mailboxIds/INBOX": None}, "invalidProperties"),
        ({"mailboxIds/TRASH": True}, "tooManyMailboxes"),
        ({"keywords/a/b": True}, "invalidPatch"),
        ({"keywords": {}, "keywords/a": True}, "invalidPatch"),
        ({"keywords/a": 1}, "invalidProperties"),
        ({"keywords/(": True}, "invalidProperties"),
    ],
    ids=str,
)
async def test_what_cannot_be_changed(patch: dict[str, Any], kind: str) -> None:
    reader = await Reader.open()
    await reader.arrive(letter("one"))
    boxes = await reader.boxes()
    (one,) = await reader.ids()
    before = await email(reader, one)
    named = {"INBOX": boxes["Inbox"], "TRASH": boxes["Trash"]}
    for name, number in named.items():
        patch = {path.replace(name, number): value for path, value in patch.items()}
    told = await reader.call("Email/set", update={one: patch})
    assert told["notUpdated"][one]["type"] == kind
    assert await email(reader, one) == before


async def test_destroying_and_reading_by_pop3() -> None:
    reader = await Reader.open()
    for subject in ("one", "two", "three"):
        await reader.arrive(letter(subject))
    three, two, one = await reader.ids()
    listing = await reader.store.mailboxes.listing(INBOX)
    assert listing is not None
    assert list(listing.uids) == [1, 2, 3], "looking at them does not change what POP3 sees"
    told = await reader.call("Email/set", destroy=[two, two, "e0000000000001"])
    assert told["destroyed"] == [two]
    assert set(told["notDestroyed"]) == {"e0000000000001"}
    assert (await reader.call("Email/get", ids=[two]))["notFound"] == [two]
    await commit(reader.store, Expunged(1.0, INBOX, (1,)))
    assert await reader.ids() == [three]
    changes = await reader.call("Email/changes", sinceState=told["oldState"])
    assert sorted(changes["destroyed"]) == sorted([one, two])


async def test_another_state() -> None:
    reader = await Reader.open()
    with pytest.raises(MethodRefused) as error:
        await reader.call("Email/set", ifInState="x")
    assert error.value.told["type"] == "stateMismatch"
    state = (await reader.call("Email/query"))["queryState"]
    assert (await reader.call("Email/set", ifInState=state))["newState"] == state


async def test_no_more_at_once_than_the_session_says() -> None:
    reader = await Reader.open()
    with pytest.raises(MethodRefused) as error:
        await reader.call("Email/set", destroy=["e0000000000001"] * 1001)
    assert error.value.told["type"] == "requestTooLarge"
    with pytest.raises(MethodRefused) as error:
        await reader.call("Email/get", ids=["e0000000000001"] * 1001)
    assert error.value.told["type"] == "requestTooLarge"
