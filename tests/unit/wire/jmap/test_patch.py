"""Patches change what they name and nothing else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.wire.jmap import SetError, patched

BEFORE = {"name": "x", "keywords": {"$seen": True, "a": True}, "m": {"in": {"deep": 1}}}


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({}, BEFORE),
        ({"name": "y"}, {**BEFORE, "name": "y"}),
        ({"name": None}, {**BEFORE, "name": None}),
        ({"keywords/b": True}, {**BEFORE, "keywords": {"$seen": True, "a": True, "b": True}}),
        ({"keywords/a": None}, {**BEFORE, "keywords": {"$seen": True}}),
        ({"keywords/none": None}, BEFORE),
        ({"keywords": {}}, {**BEFORE, "keywords": {}}),
        ({"keywords/a~1b": 1}, {**BEFORE, "keywords": {"$seen": True, "a": True, "a/b": 1}}),
        ({"m/in/deep": 2, "name": "z"}, {**BEFORE, "m": {"in": {"deep": 2}}, "name": "z"}),
    ],
    ids=str,
)
def test_patches(patch: dict[str, Any], expected: Any) -> None:
    assert patched(BEFORE, patch) == expected
    assert BEFORE["keywords"] == {"$seen": True, "a": True}, "what was before is left as it is"


@pytest.mark.parametrize(
    "patch",
    [
        {"none/x": 1},
        {"name/x": 1},
        {"m/in/deep/er": 1},
        {"m": {}, "m/in": {}},
        {"m/in": {}, "m/in/deep": 1},
        {"m/in/deep": 1, "m": 2},
        {f"x{n}": 1 for n in range(1001)},
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_patch(patch: dict[str, Any]) -> None:
    with pytest.raises(SetError) as error:
        patched(BEFORE, patch)
    assert error.value.kind == "invalidPatch"


@given(st.dictionaries(st.text("ab", min_size=1, max_size=3), st.integers(), max_size=5))
def test_patches_of_whole_properties_are_updates(patch: dict[str, int]) -> None:
    assert patched({"a": 1}, dict(patch)) == {"a": 1, **patch}
