"""`postroad reports` on files, and on the mailbox of an account that got them."""

import asyncio
import gzip
import json
from pathlib import Path

import pytest

from postroad.cli.errors import Exit
from postroad.cli.main import main
from postroad.lab.world import World
from postroad.model import PolicyType, TlsFailure, TlsResult
from postroad.trust.dmarc_report import Letter, write_aggregate, write_letter
from postroad.trust.tls_report import ReportLetter, build_report, encode_report
from postroad.trust.tls_report import write_letter as write_tls_letter
from tests.unit.service.test_reports import TLS
from tests.unit.trust.dmarc_report.scene import REPORT
from tests.unit.trust.dmarc_report.test_failure import ARF


def test_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = []
    for name, data in (
        ("a.xml", write_aggregate(REPORT)),
        ("f.eml", ARF),
        ("tls.json", TLS),
        ("broken.xml", b"<x>"),
        ("letter.eml", b"Subject: hello\n\nx"),
    ):
        (tmp_path / name).write_bytes(data)
        files.append(str(tmp_path / name))
    assert main(["reports", "list", *files, "--json"]) == Exit.OK
    listed = json.loads(capsys.readouterr().out)
    assert [each["kind"] for each in listed] == ["aggregate", "failure", "tls", "broken"]
    assert (listed[0]["messages"], listed[0]["failed"]) == (5, 2)
    assert main(["reports", "list", *files]) == Exit.OK
    assert "Here & there" in capsys.readouterr().out
    aggregate, failure, tls, broken = (each["key"] for each in listed)
    assert main(["reports", "show", aggregate, *files]) == Exit.OK
    shown = capsys.readouterr().out
    assert "policy      there.test: p=reject sp=none\nmessages    5, of which 3 passed\n" in shown
    assert "192.0.2.1    3      pass" in shown
    assert main(["reports", "show", failure, *files]) == Exit.OK
    assert "address     192.0.2.1\n" in capsys.readouterr().out
    assert main(["reports", "show", aggregate, *files, "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["aggregate"]["policy"]["domain"] == "there.test"
    assert main(["reports", "show", tls, *files]) == Exit.OK
    shown = capsys.readouterr().out
    assert "policy      sts of here.test: 5 sessions well, 2 failed\n" in shown
    assert "failed      2 times: certificate-expired\n" in shown
    assert main(["reports", "show", broken, *files]) == Exit.DATAERR
    assert main(["reports", "show", "nothing", *files]) == Exit.DATAERR
    assert main(["reports", "list", "/nowhere/at/all"]) == Exit.NOINPUT


TLS_RESULTS = [
    (TlsResult("us.test", PolicyType.STS, ("version: STSv1",)), 7),
    (
        TlsResult(
            "us.test",
            PolicyType.STS,
            ("version: STSv1",),
            TlsFailure.EXPIRED,
            "192.0.2.1",
            "mx.us.test",
            reason="a \x1b[31mred\x1b[0m one",
        ),
        2,
    ),
]
TLS_REPORT = build_report(
    TLS_RESULTS,
    day="2026-11-25",
    report_id="1@them.test",
    organization="Them",
    contact="x@them.test",
)
TLS_LETTER = ReportLetter(
    "x@them.test", "y@us.test", "them.test", "us.test", "2026-11-25", "now", "<1@them.test>"
)


@pytest.mark.parametrize(
    "data",
    [
        encode_report(TLS_REPORT),
        gzip.compress(encode_report(TLS_REPORT)),
        write_tls_letter(TLS_LETTER, TLS_REPORT),
    ],
    ids=["json", "gzip", "message"],
)
def test_a_report_about_tls(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes
) -> None:
    file = tmp_path / "report"
    file.write_bytes(data)
    assert main(["reports", "list", str(file), "--json"]) == Exit.OK
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed["kind"], listed["failed"]) == ("tls", 2)
    assert main(["reports", "show", listed["key"], str(file)]) == Exit.OK
    shown = capsys.readouterr().out
    assert "from        Them <x@them.test>\nreport      1@them.test\n" in shown
    assert "policy      sts of us.test: 7 sessions well, 2 failed\n" in shown
    assert "failed      2 times: certificate-expired mx.us.test" in shown
    assert "\x1b" not in shown, "nothing of a stranger steers the terminal"
    assert main(["reports", "show", listed["key"], str(file), "--json"]) == Exit.OK
    said = json.loads(capsys.readouterr().out)["tls"]
    assert said["policies"][0]["summary"]["total-failure-session-count"] == 2


@pytest.mark.parametrize(
    ("data", "kinds"),
    [
        (b"", []),
        (b"Subject: no report\r\n\r\nx\r\n", []),
        (b"{}", ["broken"]),
        (b"\x1f\x8bx", ["broken"]),
        (
            b"".join(
                b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (depth, depth)
                for depth in range(3000)
            ),
            [],
        ),
        (gzip.compress(bytes(50 * 2**20)), ["broken"]),
        (b"Subject: large\r\n\r\n" + bytes(20 * 2**20), ["broken"]),
    ],
    ids=["empty", "mail", "object", "broken", "nested", "bomb", "large"],
)
def test_what_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes, kinds: list[str]
) -> None:
    file = tmp_path / "report"
    file.write_bytes(data)
    assert main(["reports", "list", str(file), "--json"]) == Exit.OK
    assert [each["kind"] for each in json.loads(capsys.readouterr().out)] == kinds
    assert main(["reports", "show", "", str(file)]) == Exit.DATAERR
    assert capsys.readouterr().err


def test_an_account_that_gets_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    letter = Letter("jo@shop.test", "dmarc@shop.test", "here.test", "x", "<1@here.test>")
    config = tmp_path / "postroad.toml"

    async def receive() -> None:
        async with World(directory=tmp_path / "lab") as world:
            await world.add_domain("shop.test", ["jo", "dmarc"])
            for data in (write_letter(letter, REPORT), b"Subject: no report\r\n\r\nx\r\n"):
                sent = await world.send("jo@shop.test", "dmarc@shop.test", data)
                await world.settled(sent)
            site = world.sites["shop.test"]
            config.write_text(
                f'[server]\nhostname = "{site.hostname}"\ndata_dir = "{site.data_dir}"\n'
            )

    asyncio.run(receive())
    options = ["--config", str(config)]
    assert main(["reports", "list", "dmarc@shop.test", "--json", *options]) == Exit.OK
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed["source"], listed["domain"]) == ("dmarc@shop.test/1", "there.test")
    assert main(["reports", "list", "nobody@shop.test", *options]) == Exit.DATAERR
    assert main(["reports", "list", "jo@shop.test", *options]) == Exit.OK
    assert "there are no reports" in capsys.readouterr().err
