"""Which tests stay together where they run in several processes (`make test`).

The tests of one file stay in one process: its fixtures, perhaps a server of the module, are made once.
A file of long tests without such fixtures says ``pytestmark = pytest.mark.apart``, and whoever is free
takes the next of them. What a machine has once is a group: ``pytest.mark.xdist_group("name")``.
"""

from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test its group."""
    for item in items:
        if not (item.get_closest_marker("apart") or item.get_closest_marker("xdist_group")):
            file = item.path.relative_to(HERE).with_suffix("")
            item.add_marker(pytest.mark.xdist_group(str(file)))
