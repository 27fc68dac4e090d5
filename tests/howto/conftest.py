"""Pages that need other people's programs are skipped where there are none, as the tests of interop."""

from tests.interop.conftest import pytest_runtest_call, pytest_runtest_setup

__all__ = ["pytest_runtest_call", "pytest_runtest_setup"]
