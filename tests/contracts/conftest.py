"""Every test of this suite runs on every store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contracts.stores import PLACES, Place, Store


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return PLACES[request.param](tmp_path / "data")


@pytest.fixture
async def store(place: Place) -> AsyncIterator[Store]:
    async with place.open() as opened:
        yield opened
