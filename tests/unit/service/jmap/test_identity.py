"""Whom an account may write as."""

from typing import Any

import pytest

from tests.unit.service.jmap.reader import MethodRefused, Reader


async def test_one_identity_is_always_there() -> None:
    reader = await Reader.open()
    (own,) = (await reader.call("Identity/get"))["list"]
    assert (own["email"], own["mayDelete"], own["replyTo"]) == ("Ann@example.org", False, None)
    told = await reader.call("Identity/set", destroy=[own["id"]])
    assert told["notDestroyed"][own["id"]]["type"] == "forbidden"
    told = await reader.call(
        "Identity/set", update={own["id"]: {"name": "Ann", "textSignature": "-- \nAnn"}}
    )
    assert told["updated"] == {own["id"]: None}
    assert told["oldState"] != told["newState"]
    (own,) = (await reader.call("Identity/get"))["list"]
    assert (own["name"], own["textSignature"]) == ("Ann", "-- \nAnn")


async def test_identities_for_aliases() -> None:
    reader = await Reader.open()
    given = {
        "email": "other@example.org",
        "name": "O",
        "bcc": [{"name": None, "email": "a@b.test"}],
    }
    told = await reader.call("Identity/set", create={"x": given})
    number = told["created"]["x"]["id"]
    found = await reader.call("Identity/get", ids=[number, "i0000000000001"])
    assert found["list"][0]["bcc"] == given["bcc"]
    assert found["notFound"] == ["i0000000000001"]
    assert (await reader.call("Identity/set", destroy=[number]))["destroyed"] == [number]


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({}, "invalidProperties"),
        ({"email": "bob@far.example"}, "forbiddenFrom"),
        ({"email": "nobody@example.org"}, "forbiddenFrom"),
        ({"email": "no address"}, "forbiddenFrom"),
        ({"email": "ann@example.org", "name": 7}, "invalidProperties"),
        ({"email": "ann@example.org", "htmlSignature": "x" * 100_001}, "invalidProperties"),
        ({"email": "ann@example.org", "replyTo": "a@b.test"}, "invalidProperties"),
        ({"email": "ann@example.org", "mayDelete": True}, "invalidProperties"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_cannot_be_made(given: dict[str, Any], kind: str) -> None:
    reader = await Reader.open()
    told = await reader.call("Identity/set", create={"x": given})
    assert told["notCreated"]["x"]["type"] == kind


async def test_changes_are_not_told_one_by_one() -> None:
    reader = await Reader.open()
    state = (await reader.call("Identity/get"))["state"]
    assert (await reader.call("Identity/changes", sinceState=state))["updated"] == []
    with pytest.raises(MethodRefused) as error:
        await reader.call("Identity/changes", sinceState="x")
    assert error.value.told["type"] == "cannotCalculateChanges"
