"""Emails are found by their header fields."""

from typing import Any

import pytest

from postroad.service.jmap import email_query, header_filter
from tests.unit.service.jmap.reader import MethodRefused, Reader, letter


async def filled() -> tuple[Reader, dict[str, str]]:
    reader = await Reader.open()
    await reader.arrive(letter("one", more="X-Order: A-17 =?utf-8?q?Gr=C3=BCn?=\r\n"))
    await reader.arrive(letter("two", more="X-Order: B-18\r\nX-Order: C-19\r\n"))
    await reader.arrive(letter("three"))
    told = await reader.call("Email/get", ids=await reader.ids(), properties=["subject"])
    return reader, {each["id"]: each["subject"] for each in told["list"]}


@pytest.mark.parametrize(
    ("where", "subjects"),
    [
        ({"header": ["x-order"]}, {"one", "two"}),
        ({"header": ["X-Order", "c-1"]}, {"two"}),
        ({"header": ["X-Order", "GRÜN"]}, {"one"}),
        ({"header": ["X-Other"]}, set()),
        ({"header": ["Return-Path"]}, {"one", "two", "three"}),
        ({"header": ["subject", "e"], "text": "three"}, {"three"}),
        (
            {
                "operator": "AND",
                "conditions": [{"header": ["x-order", "17"]}, {"header": ["subject"]}],
            },
            {"one"},
        ),
        (
            {"operator": "AND", "conditions": [{"header": ["x-order"]}, {"subject": "two"}]},
            {"two"},
        ),
    ],
)
async def test_emails_with_header_fields(where: dict[str, Any], subjects: set[str]) -> None:
    reader, known = await filled()
    told = await reader.call("Email/query", filter=where, calculateTotal=True)
    assert {known[each] for each in told["ids"]} == subjects
    assert told["total"] == len(subjects)
    assert told["canCalculateChanges"] is False
    collapsed = await reader.call("Email/query", filter=where, collapseThreads=True, limit=1)
    assert len(collapsed["ids"]) == min(1, len(subjects))
    if subjects:
        one = await reader.call("Email/query", filter=where, position=len(subjects) - 1, limit=5)
        assert one["ids"] == told["ids"][-1:]
    state = told["queryState"]
    with pytest.raises(MethodRefused) as refused:
        await reader.call("Email/queryChanges", filter=where, sinceQueryState=state)
    assert refused.value.told["type"] == "cannotCalculateChanges"


@pytest.mark.parametrize(
    ("where", "kind"),
    [
        ({"header": "x-order"}, "invalidArguments"),
        ({"header": []}, "invalidArguments"),
        ({"header": [""]}, "invalidArguments"),
        ({"header": ["a", "b", "c"]}, "invalidArguments"),
        ({"operator": "NOT", "conditions": [{"header": ["x"]}]}, "unsupportedFilter"),
        ({"operator": "AND", "conditions": [{"header": ["x"]}] * 21}, "unsupportedFilter"),
    ],
)
async def test_what_is_refused(where: dict[str, Any], kind: str) -> None:
    reader, _ = await filled()
    with pytest.raises(MethodRefused) as refused:
        await reader.call("Email/query", filter=where)
    assert refused.value.told["type"] == kind


async def test_not_too_many_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, _ = await filled()
    for module in (header_filter, email_query):
        monkeypatch.setattr(module, "MAX_LOOKED_AT", 2)
    with pytest.raises(MethodRefused) as refused:
        await reader.call("Email/query", filter={"header": ["x-order"]})
    assert refused.value.told["type"] == "unsupportedFilter"
    found = await reader.ids(filter={"header": ["x-order"], "subject": "two"})
    assert len(found) == 1
