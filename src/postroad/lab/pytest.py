"""The pytest plugin: the `mailworld` fixture, mail servers for the tests of any application.

It costs nothing where it is not used: the lab is imported and started by the first test that asks for
it, and ended with the session.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from postroad.lab.mailworld import Engine, MailWorld


@pytest.fixture(scope="session")
def mailworld_engine() -> Iterator[Engine]:
    """The loop, DNS and certificate authority that all tests of a session share."""
    from postroad.lab.mailworld import Engine

    engine = Engine()
    yield engine
    engine.close()


@pytest.fixture
def mailworld(mailworld_engine: Engine) -> Iterator[MailWorld]:
    """A private internet on loopback for one test: domains, accounts, faults.

    See docs/howto/test-your-application.md.
    """
    from postroad.lab.mailworld import MailWorld

    world = MailWorld(mailworld_engine)
    yield world
    world.close()
