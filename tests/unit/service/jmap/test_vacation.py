"""What is answered while one is away: one object, checked."""

from typing import Any

import pytest

from postroad.model import Vacation
from tests.unit.service.jmap.reader import Reader


async def update(reader: Reader, **patch: Any) -> dict[str, Any]:
    return await reader.call("VacationResponse/set", update={"singleton": patch})


async def test_it_is_switched_on_and_off() -> None:
    reader = await Reader.open()
    told = await reader.call("VacationResponse/get", ids=["singleton", "other"])
    assert told["list"] == [
        {
            "id": "singleton",
            "isEnabled": False,
            "fromDate": None,
            "toDate": None,
            "subject": None,
            "textBody": None,
            "htmlBody": None,
        }
    ]
    assert told["notFound"] == ["other"]
    changed = await update(
        reader,
        isEnabled=True,
        fromDate="1970-01-01T00:00:10Z",
        toDate="1970-01-01T00:30:00Z",
        textBody="away",
    )
    assert changed["updated"] == {"singleton": None}
    assert changed["oldState"] == told["state"] != changed["newState"]
    kept = await reader.store.owners.vacation(7)
    assert kept == Vacation(True, 10.0, 1800.0, None, "away", None)
    assert [kept.answers(now) for now in (9.0, 10.0, 1799.0, 1800.0)] == [False, True, True, False]
    same = await update(reader, subject=None)
    assert same["newState"] == changed["newState"] == same["oldState"]
    await update(reader, isEnabled=False)
    (shown,) = (await reader.call("VacationResponse/get", properties=["isEnabled"]))["list"]
    assert shown == {"id": "singleton", "isEnabled": False}


@pytest.mark.parametrize(
    "patch",
    [
        {"isEnabled": 1},
        {"fromDate": "tomorrow"},
        {"fromDate": "2026-01-02T00:00:00Z", "toDate": "2026-01-01T00:00:00Z"},
        {"subject": "x" * 201},
        {"textBody": "x" * 100_001},
        {"htmlBody": 7},
        {"textBody": "\0"},
        {"id": "other"},
        {"color": "red"},
    ],
)
async def test_what_is_refused(patch: dict[str, Any]) -> None:
    reader = await Reader.open()
    told = await update(reader, **patch)
    assert told["notUpdated"]["singleton"]["type"] in ("invalidProperties", "invalidPatch")
    assert await reader.store.owners.vacation(7) == Vacation()


async def test_there_is_one_and_always_is() -> None:
    reader = await Reader.open()
    told = await reader.call(
        "VacationResponse/set",
        create={"x": {}},
        destroy=["singleton"],
        update={"other": {"isEnabled": True}},
    )
    assert told["notCreated"]["x"]["type"] == "singleton"
    assert told["notDestroyed"]["singleton"]["type"] == "singleton"
    assert told["notUpdated"]["other"]["type"] == "notFound"
