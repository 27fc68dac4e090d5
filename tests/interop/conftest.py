"""A peer that cannot run is skipped on somebody's machine, and fails where CI promised it.

CI installs `debian-packages.txt` and sets `CI=true`.
"""

import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import NoReturn

import pytest

from peers.tools import PeerUnavailable, find

Require = Callable[[str], Path]


@pytest.fixture(scope="session")
def require() -> Require:
    """Return a function that gives a program's path, or ends the test with what to install."""
    return find


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None]:
    """Turn an unavailable peer in a fixture into a skip or, in CI, a failure."""
    try:
        yield
    except PeerUnavailable as error:
        _absent(str(error))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """Turn an unavailable peer in a test into a skip or, in CI, a failure."""
    try:
        yield
    except PeerUnavailable as error:
        _absent(str(error))


def _absent(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI has to have every peer: {reason}", pytrace=False)
    pytest.skip(reason)
