"""Prints ``build/conformance.json`` as a table: ``python -m tests.conformance.table FILE``."""

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table


def main(path: Path) -> int:
    """Print the table; exit 1 where the tests wrote none."""
    if not path.exists():
        print(f"no conformance results in {path}: the conformance tests did not run")
        return 1
    results = json.loads(path.read_text())
    table = Table(title="Conformance")
    for heading in ("suite", "passed", "total", "differences"):
        table.add_column(heading, justify="right" if heading in ("passed", "total") else "left")
    for name, result in results.items():
        told = [
            *(f"{each['case']}: {each['reason']}" for each in result["differences"]),
            *(f"restated {each['case']}: {each['reason']}" for each in result.get("restated", ())),
        ]
        table.add_row(name, str(result["passed"]), str(result["total"]), "; ".join(told) or "none")
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
