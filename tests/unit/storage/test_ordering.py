from postroad.model import (
    Attempted,
    Change,
    ContentRef,
    Deposited,
    Held,
)
from postroad.storage.ordering import deposits_first

ATTEMPT = Attempted(1.0, 5, 0.0, ())
OTHER = Attempted(1.0, 6, 0.0, ())
ONE = Deposited(1.0, 5, 0, 7, ContentRef(1, 1), b"", 1)
TWO = Deposited(1.0, 5, 1, 7, ContentRef(1, 1), b"", 1)
HELD = Held(1.0, "ann", ((5, 0),))


def test_deposits_come_before_the_attempts_of_their_run_in_their_own_order() -> None:
    cases: list[tuple[list[Change], list[Change]]] = [
        ([ATTEMPT, ONE, OTHER, TWO], [ONE, TWO, ATTEMPT, OTHER]),
        ([HELD, ATTEMPT, ONE], [HELD, ONE, ATTEMPT]),
        ([ATTEMPT, HELD, ONE], [ATTEMPT, HELD, ONE]),
        ([ONE, ATTEMPT, HELD, OTHER, TWO], [ONE, ATTEMPT, HELD, TWO, OTHER]),
        ([], []),
    ]
    for changes, ordered in cases:
        assert list(deposits_first(changes)) == ordered
