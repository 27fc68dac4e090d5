"""The PostgreSQL of a test run."""

import atexit
from functools import cache

from peers.postgres import Cluster


@cache
def cluster() -> Cluster:
    """Return the one of this test run."""
    made = Cluster()
    atexit.register(made.remove)
    return made


def a_database() -> str:
    """Return the URL of an empty database."""
    return cluster().make()
