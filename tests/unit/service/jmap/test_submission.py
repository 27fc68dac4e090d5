"""Emails are sent as the account, and what became of them is told."""

from typing import Any

import pytest

from postroad.model import DeliveryState, Group, Leased, Reply
from postroad.policy import Check, MailFrom, Policy, RcptTo, Reject, Verdict, check
from postroad.service.jmap.jmap import SUBMISSION
from tests.contracts.stores import attempted, commit, result
from tests.unit.service.jmap.reader import ACCOUNT, Reader
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


def held(**parameters: Any) -> dict[str, Any]:
    """Return an envelope with parameters of MAIL."""
    sender = {"email": "ann@example.org", "parameters": parameters}
    return {"mailFrom": sender, "rcptTo": [{"email": "other@example.org"}]}


@pytest.mark.parametrize(
    ("parameters", "release_at", "shown"),
    [
        ({"holdfor": "600"}, 1600.0, "1970-01-01T00:26:40Z"),
        ({"HOLDUNTIL": "1970-01-01T01:00:00Z"}, 3600.0, "1970-01-01T01:00:00Z"),
        ({}, 0.0, "1970-01-01T00:16:40Z"),
    ],
)
async def test_what_is_to_leave_later_waits_and_can_be_stopped(
    parameters: dict[str, str], release_at: float, shown: str
) -> None:
    reader = await Reader.open()
    given = await draft(reader) | {"envelope": held(**parameters)}
    reader.queue.holds = True
    told = (await reader.call("EmailSubmission/set", create={"s": given}))["created"]["s"]
    (message,) = reader.queue.messages
    assert message.release_at == release_at
    (delivery,) = await reader.store.queue.deliveries(message.id)
    assert delivery.due_at == (release_at or 1000.0)
    assert (told["sendAt"], told["undoStatus"]) == (shown, "pending")
    wanted = {name.upper(): value for name, value in parameters.items()} or None
    assert told["envelope"]["mailFrom"]["parameters"] == wanted
    stop = {told["id"]: {"undoStatus": "canceled"}}
    assert (await reader.call("EmailSubmission/set", update=stop))["updated"] == {told["id"]: None}
    (delivery,) = await reader.store.queue.deliveries(message.id)
    assert delivery.state is DeliveryState.DROPPED


async def test_what_a_worker_took_meanwhile_is_not_stopped() -> None:
    reader = await Reader.open()
    given = await draft(reader, cc=None)
    number = (await reader.call("EmailSubmission/set", create={"s": given}))["created"]["s"]["id"]
    (message,) = reader.queue.messages
    keys = tuple((message.id, place) for place in range(2))
    ledger, store = reader.jmap.desk.ledger, reader.store

    class Worker:
        """Takes one of two deliveries just before they are stopped."""

        async def commit(self, group: Group) -> None:
            await commit(store, Leased(1.0, "n", 9e9, keys[:1]))
            await ledger.commit(group)

    reader.jmap.desk.ledger = Worker()
    told = await reader.call("EmailSubmission/set", update={number: {"undoStatus": "canceled"}})
    assert told["notUpdated"][number]["type"] == "cannotUnsend"
    states = [each.state for each in await store.queue.deliveries(message.id)]
    assert states == [DeliveryState.LEASED, DeliveryState.DROPPED]


@pytest.mark.parametrize(
    ("most", "parameters"),
    [
        (600, {"HOLDFOR": "601"}),
        (600, {"HOLDFOR": "0"}),
        (600, {"HOLDFOR": None}),
        (600, {"HOLDFOR": "60", "HOLDUNTIL": "1970-01-01T00:20:00Z"}),
        (600, {"HOLDFOR": "60", "holdfor": "60"}),
        (600, {"HOLDUNTIL": "1970-01-01T00:10:00Z"}),
        (600, {"HOLDUNTIL": "1970-01-01T00:30:00Z"}),
        (600, {"HOLDUNTIL": "tomorrow"}),
        (0, {"HOLDFOR": "60"}),
    ],
)
async def test_what_is_not_held(most: int, parameters: dict[str, Any]) -> None:
    reader = await Reader.open(hold_max_seconds=most)
    given = await draft(reader) | {"envelope": held(**parameters)}
    told = await reader.call("EmailSubmission/set", create={"s": given})
    assert told["notCreated"]["s"]["type"] == "invalidProperties"
    assert told["notCreated"]["s"]["properties"] == ["envelope"]
    assert reader.queue.messages == []
    session = reader.jmap.session(ACCOUNT, "")
    told = session["accounts"][reader.account_id]["accountCapabilities"][SUBMISSION]
    assert told["maxDelayedSend"] == most
    offers = {"FUTURERELEASE": ["600", "1970-01-01T00:26:40Z"]} if most else {}
    assert told["submissionExtensions"] == offers


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
                    "rcptTo": [{"email": "not an address", "parameters": None}],
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
