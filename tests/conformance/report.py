"""Collects what the conformance tests found into ``build/conformance.json``."""

import fcntl
import json
from collections.abc import Sequence
from pathlib import Path

PATH = Path(__file__).resolve().parents[2] / "build" / "conformance.json"


def record(
    name: str,
    *,
    passed: int,
    total: int,
    differences: list[dict[str, str]],
    restated: Sequence[dict[str, str]] = (),
) -> None:
    """Add a suite: how many cases agree, and each that does not with the reason. `restated` are cases
    that were held against something else than the suite says, with what and why.

    Tests run in several processes, which take turns at the file.
    """
    found: dict[str, object] = {"passed": passed, "total": total, "differences": differences}
    if restated:
        found["restated"] = list(restated)
    PATH.parent.mkdir(exist_ok=True)
    with PATH.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        known = json.loads(file.read() or "{}") | {name: found}
        file.truncate(0)
        file.write(json.dumps(dict(sorted(known.items())), indent=2) + "\n")
