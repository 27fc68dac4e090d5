"""How much mail an account has and may have is told, and more is not taken."""

from typing import Any

import pytest

from postroad.mailbox.quota import QuotaSettings
from postroad.model import Quota, QuotaSet
from tests.contracts.stores import INBOX, commit
from tests.unit.service.jmap.reader import MethodRefused, Reader, letter


async def standing(reader: Reader) -> dict[str, Any]:
    told = await reader.call("Quota/get", ids=None)
    assert told["notFound"] == []
    return {each["resourceType"]: (each["used"], each["hardLimit"]) for each in told["list"]}


async def test_there_is_a_quota_for_what_is_limited() -> None:
    reader = await Reader.open()
    assert await standing(reader) == {}
    reader.quotas.configure(QuotaSettings(Quota(10_000, 3)))
    await reader.arrive(letter("one"))
    told = await reader.call("Quota/get", ids=["1", "9"], properties=["used", "scope", "types"])
    (listing,) = [await reader.store.mailboxes.listing(INBOX)]
    assert listing is not None
    used = sum(listing.sizes)
    assert told["list"] == [{"id": "1", "used": used, "scope": "account", "types": ["Email"]}]
    assert told["notFound"] == ["9"]
    assert await standing(reader) == {"octets": (used, 10_000), "count": (1, 3)}
    await commit(reader.store, QuotaSet(1000.0, 7, Quota(0, None)))
    await reader.quotas.refresh()
    assert await standing(reader) == {"count": (1, 3)}


async def test_what_changed_is_told_from_the_state() -> None:
    reader = await Reader.open(quotas=QuotaSettings(Quota(10_000, 0)))
    first = (await reader.call("Quota/get"))["state"]

    async def changes(since: str) -> dict[str, Any]:
        told = await reader.call("Quota/changes", sinceState=since)
        assert told["newState"] == (await reader.call("Quota/get"))["state"]
        names = ("created", "updated", "destroyed", "updatedProperties")
        return {name: told[name] for name in names if told[name]}

    assert await changes(first) == {}
    await reader.arrive(letter("one"))
    assert await changes(first) == {"updated": ["1"], "updatedProperties": ["used"]}
    reader.quotas.configure(QuotaSettings(Quota(20_000, 5)))
    assert await changes(first) == {"updated": ["1"], "created": ["2"]}
    second = (await reader.call("Quota/get"))["state"]
    reader.quotas.configure(QuotaSettings(Quota(0, 5)))
    assert await changes(second) == {"destroyed": ["1"]}
    for wrong in ("7", "1-2-3", "a-b-c-d", "1-2-3-" + "4" * 30):
        with pytest.raises(MethodRefused) as refused:
            await changes(wrong)
        assert refused.value.told["type"] == "cannotCalculateChanges"


async def test_queries() -> None:
    reader = await Reader.open(quotas=QuotaSettings(Quota(10_000, 3)))
    query = await reader.call("Quota/query", calculateTotal=True)
    assert (query["ids"], query["total"]) == (["1", "2"], 2)
    for where, ids in (
        ({"resourceType": "count"}, ["2"]),
        ({"name": "octets", "scope": "account"}, ["1"]),
        ({"type": "Email"}, ["1", "2"]),
        ({"type": "Calendar"}, []),
    ):
        assert (await reader.call("Quota/query", filter=where))["ids"] == ids
    sort = [{"property": "name", "isAscending": False}]
    assert (await reader.call("Quota/query", sort=sort))["ids"] == ["1", "2"]
    sort = [{"property": "name"}]
    assert (await reader.call("Quota/query", sort=sort))["ids"] == ["2", "1"]
    await reader.arrive(letter("one"))
    old = query["queryState"]
    told = await reader.call("Quota/queryChanges", sinceQueryState=old, calculateTotal=True)
    added = [{"id": "1", "index": 0}, {"id": "2", "index": 1}]
    assert (told["removed"], told["added"], told["total"]) == (["1", "2"], added, 2)
    told = await reader.call("Quota/queryChanges", sinceQueryState=told["newQueryState"])
    assert (told["removed"], told["added"]) == ([], [])
    for arguments, kind in (
        ({"filter": {"color": "red"}}, "unsupportedFilter"),
        ({"sort": [{"property": "id"}]}, "unsupportedSort"),
    ):
        with pytest.raises(MethodRefused) as refused:
            await reader.call("Quota/query", **arguments)
        assert refused.value.told["type"] == kind


async def test_a_full_account_takes_neither_drafts_nor_mail_to_itself() -> None:
    reader = await Reader.open(quotas=QuotaSettings(Quota(None, 2)))
    boxes = await reader.boxes()
    first = await reader.file("Drafts", subject="one")
    await reader.file("Drafts", subject="two")
    given = {"mailboxIds": {boxes["Drafts"]: True}, "subject": "three"}
    told = await reader.call("Email/set", create={"x": given})
    assert told["notCreated"]["x"]["type"] == "overQuota"
    blob = (await reader.call("Email/get", ids=[first]))["list"][0]["blobId"]
    copy = {"blobId": blob, "mailboxIds": {boxes["Inbox"]: True}}
    told = await reader.call("Email/import", emails={"x": copy})
    assert told["notCreated"]["x"]["type"] == "overQuota"
    reader.clock.at += 2
    await reader.call("Email/set", destroy=[first])
    await reader.file("Drafts", subject="three")
