"""Emails are sent as the account, and what became of them is told."""

from typing import Any

import pytest

from postroad.model import DeliveryState, Reply
from postroad.policy import Check, MailFrom, Policy, RcptTo, Reject, Verdict, check
from tests.contracts.stores import attempted, commit, result
from tests.unit.service.jmap.reader import Reader
from tests.unit.service.jmap.test_email_set import content, email

HEADER: dict[str, Any] = {
    "from": [{"email": "ann@example.org"}],
    "to": [{"email": "fay@far.example"}],
    "cc": [{"email": "other@example.org"}],
    "bcc": [{"email": "secret@far.example"}],
    "subject": "Hello",
    "textBody": [{"partId": "1", "type": "text/plain"}],
    "bodyValues": {"1": {"value": "Hi there\n"}},
}


async def draft(reader: Reader, **header: Any) -> dict[str, Any]:
    """Return the arguments that send a draft."""
    number = await reader.file("Drafts", "$draft", **{**HEADER, **header})
    identities = (await reader.call("Identity/get"))["list"]
    return {"emailId": number, "identityId": identities[0]["id"]}


async def test_sending_and_filing() -> None:
    reader = await Reader.open()
    boxes = await reader.boxes()
    given = await draft(reader)
    responses = await reader.calls(
        (
            "EmailSubmission/set",
            {
                "create": {"s": given},
                "onSuccessUpdateEmail": {
                    "#s": {
                        f"mailboxIds/{boxes['Drafts']}": None,
                        f"mailboxIds/{boxes['Sent']}": True,
                        "keywords/$draft": None,
                    }
                },
            },
            "0",
        )
    )
    assert [each[0] for each in responses] == ["EmailSubmission/set", "Email/set"]
    created = responses[0][1]["created"]["s"]
    assert [each["email"] for each in created["envelope"]["rcptTo"]] == [
        "fay@far.example",
        "other@example.org",
        "secret@far.example",
    ]
    assert responses[1][1]["updated"] == {given["emailId"]: None}
    sent = await email(reader, given["emailId"], "mailboxIds", "keywords")
    assert sent["mailboxIds"] == {boxes["Sent"]: True}
    assert sent["keywords"] == {}
    (message,) = reader.queue.messages
    assert str(message.envelope.sender) == "ann@example.org"
    assert message.origin.account == "Ann@example.org"
    (arrived,) = await reader.ids(filter={"inMailbox": boxes["Inbox"]})
    data = await content(reader, arrived)
    assert b"secret" not in data, "nobody else reads Bcc"
    assert b"Received:" in data
    assert data.endswith(b"\r\n\r\nHi there\r\n")
    threads = await reader.call(
        "Email/get", ids=[arrived, given["emailId"]], properties=["threadId"]
    )
    assert len({each["threadId"] for each in threads["list"]}) == 1
    (told,) = (await reader.call("EmailSubmission/get"))["list"]
    assert told["undoStatus"] == "final", "one of its recipients has it"
    assert told["deliveryStatus"]["other@example.org"]["delivered"] == "yes"
    assert told["deliveryStatus"]["fay@far.example"]["delivered"] == "queued"
    found = await reader.call("EmailSubmission/query", filter={"emailIds": [given["emailId"]]})
    assert found["ids"] == [created["id"]]
    changes = await reader.call("EmailSubmission/changes", sinceState="none")
    assert changes["created"] == [created["id"]]


async def test_what_waits_can_be_stopped() -> None:
    reader = await Reader.open()
    given = await draft(reader, cc=None)
    told = await reader.call("EmailSubmission/set", create={"s": given})
    number = told["created"]["s"]["id"]
    assert told["created"]["s"]["undoStatus"] == "pending"
    stop = {"undoStatus": "canceled"}
    told = await reader.call("EmailSubmission/set", update={number: stop})
    assert told["updated"] == {number: None}
    (told,) = (await reader.call("EmailSubmission/get"))["list"]
    assert told["undoStatus"] == "canceled"
    told = await reader.call("EmailSubmission/set", update={number: stop})
    assert told["notUpdated"][number]["type"] == "cannotUnsend"
    given = await draft(reader, cc=None)
    number = (await reader.call("EmailSubmission/set", create={"s": given}))["created"]["s"]["id"]
    message = reader.queue.messages[-1]
    await commit(reader.store, attempted(message, result(0, DeliveryState.DUE, due_at=9e9)))
    told = await reader.call("EmailSubmission/set", update={number: stop})
    assert told["notUpdated"][number]["type"] == "cannotUnsend"


@pytest.mark.parametrize(
    ("header", "more", "kind"),
    [
        ({"from": [{"email": "bob@far.example"}]}, {}, "forbiddenFrom"),
        ({"from": None}, {}, "invalidEmail"),
        ({"to": None, "cc": None, "bcc": None}, {}, "noRecipients"),
        ({"to": [{"email": "nobody@example.org"}]}, {}, "invalidRecipients"),
        (
            {},
            {
                "envelope": {
                    "mailFrom": {"email": "bob@far.example"},
                    "rcptTo": [{"email": "fay@far.example"}],
                }
            },
            "forbiddenMailFrom",
        ),
        (
            {},
            {"envelope": {"mailFrom": {"email": "ann@example.org"}, "rcptTo": []}},
            "noRecipients",
        ),
        ({}, {"envelope": {"rcptTo": [{"email": "fay@far.example"}]}}, "invalidProperties"),
        ({}, {"envelope": 7}, "invalidProperties"),
        (
            {},
            {
                "envelope": {
                    "mailFrom": {"email": "ann@example.org", "parameters": {"X": "1"}},
                    "rcptTo": [{"email": "fay@far.example"}],
                }
            },
            "invalidProperties",
        ),
        (
            {},
            {
                "envelope": {
                    "mailFrom": {"email": "ann@example.org"},
                    "rcptTo": [{"email": "not an address"}],
                }
            },
            "invalidRecipients",
        ),
        ({}, {"identityId": "i0000000000001"}, "invalidProperties"),
        ({}, {"emailId": "e0000000000001"}, "invalidProperties"),
        ({}, {"sendAt": "2030-01-01T00:00:00Z"}, "invalidProperties"),
        ({"bcc": [{"email": f"r{n}@far.example"} for n in range(11)]}, {}, "tooManyRecipients"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_is_not_sent(header: dict[str, Any], more: dict[str, Any], kind: str) -> None:
    reader = await Reader.open(max_recipients=10)
    given = {**await draft(reader, **header), **more}
    told = await reader.call(
        "EmailSubmission/set",
        create={"s": given},
        onSuccessDestroyEmail=["#s"],
    )
    assert told["notCreated"]["s"]["type"] == kind
    assert reader.queue.messages == []
    assert len(await reader.ids()) == 1, "what was to follow does not"


@check(stage=MailFrom)
async def too_much(stage: MailFrom) -> Verdict:
    return Reject(Reply(550, "5.7.1", "Too much"), "too much")


@check(stage=RcptTo)
async def not_there(stage: RcptTo) -> Verdict:
    return Reject(Reply(550, "5.7.1", "Not there"), "not there")


@check(stage=MailFrom)
async def later(stage: MailFrom) -> Verdict:
    return Reject(Reply(451, "4.7.1", "Later"), "later")


@pytest.mark.parametrize(
    ("rule", "kind"),
    [(too_much, "forbiddenToSend"), (not_there, "invalidRecipients"), (later, "serverFail")],
    ids=["sender", "recipient", "later"],
)
async def test_checks_are_asked_as_for_submission(rule: Check, kind: str) -> None:
    reader = await Reader.open(policy=Policy((rule,)))
    told = await reader.call("EmailSubmission/set", create={"s": await draft(reader)})
    assert told["notCreated"]["s"]["type"] == kind
    assert reader.queue.messages == []


async def test_an_alias_may_be_written_as() -> None:
    reader = await Reader.open()
    given = await draft(reader, **{"from": [{"email": "other@example.org"}]})
    told = await reader.call(
        "EmailSubmission/set", create={"s": given}, onSuccessDestroyEmail=["#s"]
    )
    assert told["notCreated"] is None
    assert str(reader.queue.messages[0].envelope.sender) == "other@example.org"
    assert (await reader.call("Email/get", ids=[given["emailId"]]))["notFound"]
