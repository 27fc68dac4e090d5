"""docs/reference/replies.md has every reply that the code makes."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ["delivery", "mailbox", "policy", "queue", "servers", "service", "wire"]


def replies_in_code() -> dict[tuple[str, str], str]:
    found = {}
    for room in ROOMS:
        for path in (ROOT / "src/postroad" / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "Reply":
                    values = [
                        each.value for each in node.args[:2] if isinstance(each, ast.Constant)
                    ]
                    if len(values) == 2 and isinstance(values[0], int):
                        found[str(values[0]), str(values[1])] = f"{path.name}:{node.lineno}"
    return found


def replies_in_docs() -> set[tuple[str, str]]:
    text = (ROOT / "docs/reference/replies.md").read_text()
    rows = re.findall(r"^\| `(\d{3})(?: (\d\.\d+\.\d+))?` \|", text, re.MULTILINE)
    return {(code, enhanced) for code, enhanced in rows}


def test_every_reply_is_in_the_reference() -> None:
    documented = replies_in_docs()
    missing = {key: place for key, place in replies_in_code().items() if key not in documented}
    assert missing == {}, "add a row to docs/reference/replies.md"


def test_the_reference_has_none_that_nobody_says() -> None:
    said = set(replies_in_code())
    said |= {(code, "") for code, _ in said}  # the greeting and EHLO's have no enhanced code
    built_from_dns = {("451", "4.4.3")}
    assert replies_in_docs() - said - built_from_dns == set()
