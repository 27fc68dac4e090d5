"""Half of a character in JSON: which field has it."""

import json
from pathlib import Path

import msgspec
import pytest

from postroad.web.api.half_characters import MAX_OCTETS, half_character, read_json
from postroad.web.problem import Problem
from tests.unit.web.site import running

HALF = "\ud800"


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"subject": HALF}, "subject"),
        ({"to": ["a@b", {"name": f"x{HALF}"}]}, "to[1].name"),
        ({"metadata": {HALF: "x"}}, "metadata (a name in it)"),
        ({"subject": "\U0001f600", "n": 1, "x": None}, None),  # two halves are a character
    ],
)
def test_where_it_is(value: object, field: str | None) -> None:
    assert half_character(json.dumps(value).encode()) == field


def test_what_is_not_looked_through() -> None:
    assert half_character(b'{"subject": "\\ud800"') is None
    assert half_character(json.dumps([HALF, "x" * MAX_OCTETS]).encode()) is None
    with pytest.raises(Problem, match="nested"):
        half_character(b'["\\u0041",' * 100_000)
    with pytest.raises(msgspec.DecodeError):
        read_json(msgspec.json.decode, b"{")


async def test_the_answer_names_the_field(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        written = (
            b'{"from": "ann@here.test", "to": "bob@here.test", "text": "x", "subject": "\\ud800"}'
        )
        refused = await site.client.post("/api/v1/messages", content=written)
        assert refused.status_code == 400
        assert [each["field"] for each in refused.json()["errors"]] == ["subject"]
        batch = await site.client.post("/api/v1/messages/batch", content=b"[" + written + b"]")
        answer = batch.json()
        problem = answer if batch.status_code == 400 else answer[0]["problem"]
        (told,) = problem["errors"]
        assert told["field"].endswith("subject")
