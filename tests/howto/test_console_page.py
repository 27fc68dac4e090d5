"""What `docs/howto/run-the-console.md` says to type makes operators; its pages are those there are."""

import re
from pathlib import Path

from tests.howto.shell import DOCS, blocks, play

ROOT = Path(__file__).resolve().parents[2]
_LOG_IN = """
curl -s -H 'X-Postroad: 1' -c $1.jar -d "{\\"username\\":\\"$1\\",\\"password\\":\\"$2\\"}" $URL/login
curl -s -b $1.jar $URL/console/me
"""


def test_who_is_made_an_operator_gets_in_until_that_is_taken_back(tmp_path: Path) -> None:
    typed = blocks("run-the-console.md", "Get in").replace(
        "account add ", "account add --password-file word "
    )
    played = play(
        f"log_in() {{ {_LOG_IN} }}\necho 'a long enough password' > word\n{typed}\n"
        "log_in ops@example.org 'a long enough password'\n"
        "log_in ann@example.org 'a long enough password'\n"
        "postroad account change ann@example.org --no-operator\n"
        "curl -s -b ann@example.org.jar $URL/console/me\n",
        tmp_path,
    )
    assert played.codes == ["200"] * 4 + ["403"], played
    assert [each["operator"] for each in played.answers[1:4:2]] == [
        "ops@example.org",
        "ann@example.org",
    ]
    assert "--operator" in played.answers[4]["detail"]


def test_the_pages_that_are_told_of_are_those_there_are() -> None:
    page = (DOCS / "run-the-console.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| ([A-Z][A-Za-z ]+?) \|", page, re.MULTILINE))
    part = (ROOT / "webapp/src/console/Part.svelte").read_text(encoding="utf-8")
    there = set(re.findall(r'name: "([^"]+)", key:', part))
    assert told | {"Dashboard", "Queue"} == there
    for picture in re.findall(r"\]\(\.\./pictures/([^)]+)\)", page):
        assert (ROOT / "docs/pictures" / picture).stat().st_size > 10_000
