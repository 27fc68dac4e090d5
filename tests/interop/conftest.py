"""A peer that cannot run is skipped on somebody's machine, and fails where CI promised it.

CI installs `debian-packages.txt` and sets `CI=true`.
"""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from peers.tools import PeerUnavailable, find

Require = Callable[[str], Path]


@pytest.fixture(scope="session")
def require() -> Require:
    """Return a function that gives a program's path, or ends the test with what to install."""
    return find


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None]:
    """End a test whose fixture needs an unavailable peer."""
    with _without_absent_peers():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """End a test that needs an unavailable peer."""
    with _without_absent_peers():
        yield


@contextmanager
def _without_absent_peers() -> Iterator[None]:
    try:
        yield
    except PeerUnavailable as error:
        reason = str(error)
    else:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI has to have every peer: {reason}", pytrace=False)
    pytest.skip(reason)
