"""The tree keeps its own rules."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))


def test_no_module_over_500_lines() -> None:
    crowded = {
        str(path.relative_to(ROOT)): lines
        for path in SOURCES
        if (lines := path.read_text().count("\n")) > 500
    }
    assert crowded == {}


def test_every_module_says_its_duty() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if path.read_text().strip() and not path.read_text().lstrip().startswith(('"""', 'r"""'))
    ]
    assert silent == []


def test_no_drawers_for_odds_and_ends() -> None:
    names = {"utils", "util", "common", "helpers", "helper", "misc"}
    assert [path for path in SOURCES if path.stem in names] == []


RFC = re.compile(r"RFC[ \n]+(\d{3,5})(?:[ \n]+§([\dA-Z]+(?:\.\d+)*))?")
ROW = re.compile(r"^\| RFC (\d+)(?: §([\dA-Z.]+))? \| (yes|partial|no) \|", re.MULTILINE)


def claims_in_code() -> dict[tuple[str, str], str]:
    claims: dict[tuple[str, str], str] = {}
    for path in SOURCES:
        text = re.sub(r"\s*\n\s*#?\s*", " ", path.read_text())
        for number, section in RFC.findall(text):
            claims.setdefault((number, section), str(path.relative_to(ROOT)))
    return claims


def rows_in_docs() -> dict[tuple[str, str], str]:
    text = (ROOT / "docs/reference/rfc.md").read_text()
    return {(number, section): state for number, section, state in ROW.findall(text)}


def test_each_rfc_section_named_in_the_code_is_in_the_reference() -> None:
    rows = rows_in_docs()
    missing = {
        f"RFC {number} §{section}" if section else f"RFC {number}": path
        for (number, section), path in claims_in_code().items()
        if (number, section) not in rows
    }
    assert missing == {}, "add a row to docs/reference/rfc.md"


def test_no_rfc_is_denied_of_which_a_section_holds() -> None:
    rows = rows_in_docs()
    held = {number for (number, section), state in rows.items() if section and state == "yes"}
    denied = {number for (number, section), state in rows.items() if not section and state == "no"}
    assert denied & held == set(), (
        "the row of the whole says another thing than those of its sections"
    )


def test_each_rfc_section_we_claim_is_named_in_the_code() -> None:
    claims = claims_in_code()
    unfounded = [
        f"RFC {number} §{section}"
        for (number, section), state in rows_in_docs().items()
        if state != "no" and (number, section) not in claims
    ]
    assert unfounded == [], "name the section in the docstring of the code that does it"
