"""Collects what the conformance tests found into ``build/conformance.json``."""

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
    """
    known = json.loads(PATH.read_text()) if PATH.exists() else {}
    known[name] = {"passed": passed, "total": total, "differences": differences}
    if restated:
        known[name]["restated"] = list(restated)
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(json.dumps(dict(sorted(known.items())), indent=2) + "\n")
