"""Mailboxes are made, renamed, moved and destroyed; those with a role stay."""

from typing import Any

import pytest

from tests.unit.service.jmap.reader import Reader, letter


async def box(reader: Reader, number: str) -> dict[str, Any]:
    (found,) = (await reader.call("Mailbox/get", ids=[number]))["list"]
    return dict(found)


async def test_an_account_has_the_mailboxes_that_clients_expect() -> None:
    reader = await Reader.open()
    found = (await reader.call("Mailbox/get"))["list"]
    roles = {each["role"]: each["name"] for each in found}
    assert roles == {
        "inbox": "Inbox",
        "archive": "Archive",
        "drafts": "Drafts",
        "junk": "Junk",
        "sent": "Sent",
        "trash": "Trash",
    }
    order = await reader.call("Mailbox/query", sort=[{"property": "sortOrder"}])
    assert order["ids"][0] == next(each["id"] for each in found if each["role"] == "inbox")


async def test_a_tree_of_own_mailboxes() -> None:
    reader = await Reader.open()
    told = await reader.call(
        "Mailbox/set",
        create={
            "leaf": {"name": "Leaf", "parentId": "#twig"},
            "root": {"name": "Root", "sortOrder": 7, "isSubscribed": False},
            "twig": {"name": "Twig", "parentId": "#root"},
        },
    )
    assert told["notCreated"] is None
    root, twig, leaf = (told["created"][name]["id"] for name in ("root", "twig", "leaf"))
    assert told["created"]["twig"]["role"] is None
    assert (await box(reader, leaf))["parentId"] == twig
    found = await box(reader, root)
    assert (found["sortOrder"], found["isSubscribed"], found["parentId"]) == (7, False, None)
    state = told["newState"]
    told = await reader.call("Mailbox/set", update={root: {"name": "Wurzel"}})
    assert told["updated"] == {root: None}
    assert (await box(reader, leaf))["parentId"] == twig, "what is below it goes with it"
    names = {each.name for each in await reader.store.emails.boxes(7)}
    assert "Wurzel/Twig/Leaf" in names
    await reader.call("Mailbox/set", update={leaf: {"parentId": None}})
    assert (await box(reader, leaf))["name"] == "Leaf"
    tree = await reader.call(
        "Mailbox/query", filter={"hasAnyRole": False}, sort=[{"property": "name"}], sortAsTree=True
    )
    assert tree["ids"] == [leaf, root, twig]
    told = await reader.call("Mailbox/set", destroy=[root, twig, leaf])
    assert told["notDestroyed"][root]["type"] == "mailboxHasChild"
    assert told["destroyed"] == [twig, leaf]
    changes = await reader.call("Mailbox/changes", sinceState=state)
    assert changes["destroyed"] == [twig, leaf]
    assert root in changes["updated"]
    assert changes["updatedProperties"] is None


async def test_a_mailbox_with_emails_is_destroyed_only_with_them() -> None:
    reader = await Reader.open()
    told = await reader.call("Mailbox/set", create={"a": {"name": "A"}})
    number = told["created"]["a"]["id"]
    email = await reader.file("A", subject="x")
    told = await reader.call("Mailbox/set", destroy=[number])
    assert told["notDestroyed"][number]["type"] == "mailboxHasEmail"
    told = await reader.call("Mailbox/set", destroy=[number], onDestroyRemoveEmails=True)
    assert told["destroyed"] == [number]
    assert (await reader.call("Email/get", ids=[email]))["notFound"] == [email]


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({}, "invalidProperties"),
        ({"name": "a/b"}, "invalidProperties"),
        ({"name": "x" * 201}, "invalidProperties"),
        ({"name": "a\nb"}, "invalidProperties"),
        ({"name": "inbox"}, "invalidProperties"),
        ({"name": "Trash"}, "invalidProperties"),
        ({"name": "A", "role": "sent"}, "invalidProperties"),
        ({"name": "A", "parentId": "m0000000000001"}, "invalidProperties"),
        ({"name": "A", "totalEmails": 3}, "invalidProperties"),
        ({"name": "A", "sortOrder": -1}, "invalidProperties"),
        ({"name": "A", "isSubscribed": None}, "invalidProperties"),
    ],
    ids=str,
)
async def test_what_cannot_be_made(given: dict[str, Any], kind: str) -> None:
    reader = await Reader.open()
    told = await reader.call("Mailbox/set", create={"x": given})
    assert told["notCreated"]["x"]["type"] == kind


async def test_what_cannot_be_changed() -> None:
    reader = await Reader.open()
    boxes = await reader.boxes()
    told = await reader.call(
        "Mailbox/set", create={"a": {"name": "A"}, "b": {"name": "B", "parentId": "#a"}}
    )
    a, b = told["created"]["a"]["id"], told["created"]["b"]["id"]
    for number, patch, kind in [
        (boxes["Inbox"], {"name": "In"}, "forbidden"),
        (boxes["Trash"], {"parentId": a}, "forbidden"),
        (a, {"parentId": b}, "invalidProperties"),
        (a, {"parentId": a}, "invalidProperties"),
        (a, {"role": "sent"}, "invalidProperties"),
        (a, {"name": "Archive"}, "invalidProperties"),
        (a, {"totalEmails": 9}, "invalidProperties"),
        (a, {"colour": "red"}, "invalidProperties"),
        ("m0000000000001", {"name": "x"}, "notFound"),
    ]:
        told = await reader.call("Mailbox/set", update={number: patch})
        assert told["notUpdated"][number]["type"] == kind, patch
    told = await reader.call("Mailbox/set", update={boxes["Trash"]: {"sortOrder": 3}})
    assert told["updated"] == {boxes["Trash"]: None}
    told = await reader.call("Mailbox/set", destroy=[boxes["Sent"], "m0000000000001"])
    assert told["notDestroyed"][boxes["Sent"]]["type"] == "forbidden"
    assert told["notDestroyed"]["m0000000000001"]["type"] == "notFound"


async def test_own_mailboxes_have_a_limit() -> None:
    reader = await Reader.open(max_mailboxes=7)
    told = await reader.call("Mailbox/set", create={"a": {"name": "A"}, "b": {"name": "B"}})
    assert set(told["created"]) == {"a"}
    assert told["notCreated"]["b"]["type"] == "overQuota"


async def test_conditions_on_mailboxes() -> None:
    reader = await Reader.open()
    await reader.arrive(letter("x"))
    told = await reader.call(
        "Mailbox/set", create={"a": {"name": "A"}, "b": {"name": "Bee", "parentId": "#a"}}
    )
    a, b = told["created"]["a"]["id"], told["created"]["b"]["id"]

    async def found(where: Any, **more: Any) -> list[str]:
        ids: list[str] = (await reader.call("Mailbox/query", filter=where, **more))["ids"]
        return ids

    assert await found({"parentId": a}) == [b]
    assert await found({"name": "bee"}) == [b]
    assert len(await found({"parentId": None})) == 7
    assert len(await found({"role": "inbox"})) == 1
    assert await found({"operator": "NOT", "conditions": [{"hasAnyRole": True}]}) == [a, b]
    assert await found({"name": "bee"}, filterAsTree=True) == []
    told = await reader.call("Mailbox/query", limit=2, calculateTotal=True)
    assert (len(told["ids"]), told["total"]) == (2, 8)
