"""A bucket of moto's, and a prefix in it for each test."""

from collections.abc import Iterator

import pytest

from peers.moto_server import Moto
from tests.contracts.objects import BUCKET, Objects


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    with Moto() as server:
        server.make_bucket(BUCKET)
        yield server


@pytest.fixture
def objects(moto: Moto) -> Objects:
    return Objects(moto)
