"""Queries, and that what is told of their changes gives what asking anew would."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroad.model import Expunged, Moved
from tests.contracts.stores import INBOX, commit
from tests.unit.service.jmap.reader import MethodRefused, Reader, letter


async def thread_of_three() -> Reader:
    reader = await Reader.open()
    await reader.arrive(letter("Plan", number_=1))
    await reader.arrive(letter("Re: Plan", number_=2, more="In-Reply-To: <1@far.example>\r\n"))
    await reader.arrive(letter("AW: plan", number_=3, more="References: <0@x> <2@far.example>\r\n"))
    await reader.arrive(letter("Other", number_=4, more="References: <2@far.example>\r\n"))
    return reader


async def test_threads_are_found_and_collapsed() -> None:
    reader = await thread_of_three()
    ids = await reader.ids()
    assert len(ids) == 4
    collapsed = await reader.ids(collapseThreads=True)
    assert collapsed == [ids[0], ids[1]], "another subject is another thread"
    emails = (await reader.call("Email/get", ids=ids, properties=["threadId"]))["list"]
    threads = [each["threadId"] for each in emails]
    assert len(set(threads)) == 2
    found = await reader.call("Thread/get", ids=[threads[3], "t0000000000001"])
    assert found["list"] == [{"id": threads[3], "emailIds": ids[:0:-1]}]
    assert found["notFound"] == ["t0000000000001"]
    told = await reader.call("Email/query", collapseThreads=True, calculateTotal=True, limit=1)
    assert (told["total"], len(told["ids"])) == (2, 1)


async def test_pages() -> None:
    reader = await Reader.open()
    for count in range(10):
        await reader.arrive(letter(f"n{count}"))
    ids = await reader.ids()

    async def page(**arguments: Any) -> dict[str, Any]:
        return await reader.call("Email/query", **arguments)

    assert (await page(position=3, limit=2))["ids"] == ids[3:5]
    assert (await page(position=-3))["ids"] == ids[7:]
    assert (await page(position=-30, limit=2))["ids"] == ids[:2]
    assert (await page(position=30))["ids"] == []
    assert (await page(limit=0, calculateTotal=True))["total"] == 10
    told = await page(anchor=ids[5], anchorOffset=-2, limit=3)
    assert (told["ids"], told["position"]) == (ids[3:6], 3)
    assert (await page(anchor=ids[1], anchorOffset=-9, limit=1))["position"] == 0
    with pytest.raises(MethodRefused) as error:
        await page(anchor="e0000000000001")
    assert error.value.told["type"] == "anchorNotFound"
    with pytest.raises(MethodRefused) as error:
        await page(limit=-1)
    assert error.value.told["type"] == "invalidArguments"


async def test_deep_in_a_list_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = await thread_of_three()
    for count in range(5):
        await reader.arrive(letter(f"n{count}"))
    query = {"collapseThreads": True, "limit": 2, "calculateTotal": True}
    plain = [await reader.call("Email/query", position=n, **query) for n in range(9)]
    monkeypatch.setattr("postroad.service.jmap.email_query.DEEP", 0)
    for _ in range(2):
        deep = [await reader.call("Email/query", position=n, **query) for n in range(9)]
        assert deep == plain
    await reader.arrive(letter("newest"))
    told = await reader.call("Email/query", position=1, **query)
    assert told["ids"] == plain[0]["ids"], "what is kept is of its state alone"


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ({"filter": {"operator": "OR", "conditions": [{"header": ["X"]}]}}, "unsupportedFilter"),
        ({"filter": {"operator": "XOR", "conditions": []}}, "invalidArguments"),
        ({"filter": {"operator": "AND"}}, "invalidArguments"),
        ({"filter": []}, "invalidArguments"),
        ({"filter": {"text": 7}}, "invalidArguments"),
        ({"filter": {"before": "now"}}, "invalidArguments"),
        ({"filter": {"minSize": -1}}, "invalidArguments"),
        ({"filter": {"hasKeyword": ""}}, "invalidArguments"),
        ({"filter": {"hasAttachment": 1}}, "invalidArguments"),
        ({"sort": [{"property": "colour"}]}, "unsupportedSort"),
        ({"sort": [{"property": "size", "isAscending": 1}]}, "invalidArguments"),
        ({"sort": [{"property": "hasKeyword"}]}, "invalidArguments"),
        ({"sort": [{"property": "subject", "collation": "x"}]}, "unsupportedSort"),
    ],
    ids=str,
)
async def test_what_cannot_be_asked(query: dict[str, Any], kind: str) -> None:
    reader = await Reader.open()
    with pytest.raises(MethodRefused) as error:
        await reader.call("Email/query", **query)
    assert error.value.told["type"] == kind


async def test_searching_for_words() -> None:
    reader = await Reader.open()
    await reader.arrive(letter("Bananas", body="Yellow and ripe\r\n"))
    await reader.arrive(letter("Apples", body="Not yellow, but red\r\n"))
    apples, bananas = await reader.ids()
    assert await reader.ids(filter={"text": "yellow"}) == [apples, bananas]
    assert await reader.ids(filter={"text": "yellow ripe"}) == [bananas]
    assert await reader.ids(filter={"text": '"yellow and"'}) == [bananas]
    assert await reader.ids(filter={"subject": "apples", "body": "red"}) == [apples]
    assert await reader.ids(filter={"from": "bob"}) == [apples, bananas]
    assert await reader.ids(filter={"text": "!!!"}) == []
    none = {"operator": "NOT", "conditions": [{"text": "ripe"}, {"inMailbox": "nowhere"}]}
    assert await reader.ids(filter=none) == [apples]


BOXES = ["Inbox", "Trash"]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("arrive"), st.integers(1, 6), st.integers(0, 6)),
        st.tuples(st.just("flag"), st.integers(0, 5), st.sampled_from(["$seen", "work"])),
        st.tuples(st.just("unflag"), st.integers(0, 5), st.sampled_from(["$seen", "work"])),
        st.tuples(st.just("move"), st.integers(0, 5), st.sampled_from(BOXES)),
        st.tuples(st.just("pop3"), st.integers(1, 6), st.just("")),
        st.tuples(st.just("destroy"), st.integers(0, 5), st.just("")),
    ),
    max_size=5,
)
FILTERS = st.sampled_from(
    [
        None,
        {"inMailbox": "Inbox"},
        {"hasKeyword": "$seen"},
        {"inMailbox": "Inbox", "notKeyword": "work"},
        {"someInThreadHaveKeyword": "work"},
        {"allInThreadHaveKeyword": "$seen"},
        {"noneInThreadHaveKeyword": "work"},
        {"operator": "NOT", "conditions": [{"inMailbox": "Trash"}]},
    ]
)
SORTS = st.sampled_from(
    [
        None,
        [{"property": "subject"}, {"property": "size", "isAscending": False}],
        [{"property": "hasKeyword", "keyword": "$seen"}],
        [{"property": "someInThreadHaveKeyword", "keyword": "work", "isAscending": False}],
    ]
)


async def take(reader: Reader, step: tuple[Any, ...]) -> None:
    kind, which, what = step
    boxes = await reader.boxes()
    if kind == "arrive":
        more = f"References: <{what}@far.example>\r\n" if what else ""
        await reader.arrive(letter(f"s{which % 2}", number_=which, more=more))
        return
    if kind == "pop3":
        await commit(reader.store, Expunged(1.0, INBOX, (which,)))
        return
    ids = sorted(await reader.ids())
    if which >= len(ids):
        return
    number = ids[which]
    if kind == "destroy":
        await reader.call("Email/set", destroy=[number])
        return
    patches: dict[str, dict[str, Any]] = {
        "flag": {f"keywords/{what}": True},
        "unflag": {f"keywords/{what}": None},
        "move": {"mailboxIds": {boxes.get(what, ""): True}},
    }
    await reader.call("Email/set", update={number: patches[kind]})


def applied(before: list[str], told: dict[str, Any]) -> list[str]:
    """Return the results as a client has them then (RFC 8620 §5.6)."""
    after = [each for each in before if each not in told["removed"]]
    for item in told["added"]:
        after.insert(item["index"], item["id"])
    return after


@settings(max_examples=120, deadline=None)
@given(STEPS, STEPS, FILTERS, SORTS, st.booleans())
def test_changes_of_a_query_give_what_it_finds_anew(
    first: list[Any], then: list[Any], where: Any, sort: Any, collapse: bool
) -> None:
    async def story() -> None:
        reader = await Reader.open()
        for step in first:
            await take(reader, step)
        boxes = await reader.boxes()
        named = where
        if where and "inMailbox" in where:
            named = {**where, "inMailbox": boxes["Inbox"]}
        elif where and "conditions" in where:
            named = {**where, "conditions": [{"inMailbox": boxes["Trash"]}]}
        query = {"filter": named, "sort": sort, "collapseThreads": collapse}
        before = await reader.call("Email/query", **query)
        emails = await known(reader)
        for step in then:
            await take(reader, step)
        state = before["queryState"]
        told = await reader.call("Email/queryChanges", sinceQueryState=state, **query)
        after = await reader.call("Email/query", calculateTotal=True, **query)
        assert applied(before["ids"], told) == after["ids"]
        assert told["newQueryState"] == after["queryState"]
        await changes_are_exact(reader, state, emails)

    asyncio.run(story())


async def known(reader: Reader) -> dict[str, Any]:
    ids = await reader.ids()
    found = await reader.call(
        "Email/get", ids=ids, properties=["mailboxIds", "keywords", "threadId"]
    )
    return {each["id"]: each for each in found["list"]}


async def changes_are_exact(reader: Reader, state: str, before: dict[str, Any]) -> None:
    """Taken two at a time, changes lead from what was known to what is (RFC 8620 §5.2)."""
    after = await known(reader)
    created: set[str] = set()
    updated: set[str] = set()
    destroyed: set[str] = set()
    more = True
    while more:
        told = await reader.call("Email/changes", sinceState=state, maxChanges=2)
        assert len(told["created"] + told["updated"] + told["destroyed"]) <= 2
        created |= set(told["created"])
        updated |= set(told["updated"])
        destroyed |= set(told["destroyed"])
        state, more = told["newState"], told["hasMoreChanges"]
    assert created - destroyed == after.keys() - before.keys()
    assert destroyed & before.keys() == before.keys() - after.keys()
    really = {each for each in before.keys() & after.keys() if before[each] != after[each]}
    assert really <= updated


async def test_since_a_state_that_is_not_known() -> None:
    reader = await thread_of_three()
    for method, name in [
        ("Email/changes", "sinceState"),
        ("Thread/changes", "sinceState"),
        ("Mailbox/changes", "sinceState"),
        ("Email/queryChanges", "sinceQueryState"),
        ("Mailbox/queryChanges", "sinceQueryState"),
    ]:
        for state in ("x", "99999", "-1", "٣"):
            with pytest.raises(MethodRefused) as error:
                await reader.call(method, **{name: state})
            assert error.value.told["type"] == "cannotCalculateChanges"


async def test_more_changes_than_are_wanted() -> None:
    reader = await Reader.open()
    state = (await reader.call("Email/query"))["queryState"]
    for count in range(3):
        await reader.arrive(letter(f"n{count}"))
    with pytest.raises(MethodRefused) as error:
        await reader.call("Email/queryChanges", sinceQueryState=state, maxChanges=2)
    assert error.value.told["type"] == "tooManyChanges"


async def test_threads_that_changed() -> None:
    reader = await thread_of_three()
    first = await reader.call("Email/query")
    state, ids = first["queryState"], first["ids"]
    emails = await known(reader)
    await reader.call("Email/set", update={ids[0]: {"keywords/$seen": True}})
    told = await reader.call("Thread/changes", sinceState=state)
    assert told["created"] == told["updated"] == told["destroyed"] == []
    await reader.arrive(letter("Plan", number_=9, more="References: <1@far.example>\r\n"))
    await reader.arrive(letter("New", number_=10))
    await reader.call("Email/set", destroy=[ids[0]])
    told = await reader.call("Thread/changes", sinceState=state)
    assert told["updated"] == [emails[ids[1]]["threadId"]]
    assert told["destroyed"] == [emails[ids[0]]["threadId"]]
    assert len(told["created"]) == 1


async def test_moved_by_others_is_an_update() -> None:
    reader = await thread_of_three()
    boxes = await reader.call("Mailbox/get")
    trash = next(each["id"] for each in boxes["list"] if each["role"] == "trash")
    first = await reader.call("Email/query")
    from postroad.service.jmap.ids import Kind, read

    number = read(Kind.MAILBOX, trash)
    assert number is not None
    await commit(reader.store, Moved(1.0, INBOX, number, (1,), "root", "INBOX", "Trash"))
    told = await reader.call("Email/changes", sinceState=first["queryState"])
    assert (told["created"], told["destroyed"]) == ([], [])
    assert await reader.ids(filter={"inMailbox": trash}) == told["updated"]
    mailboxes = await reader.call("Mailbox/changes", sinceState=first["queryState"])
    assert set(mailboxes["updated"]) == {
        trash,
        next(each["id"] for each in boxes["list"] if each["role"] == "inbox"),
    }
    assert "totalEmails" in mailboxes["updatedProperties"]
