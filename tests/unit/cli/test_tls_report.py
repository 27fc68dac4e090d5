"""``postroad tls-report``: reports that were received, whole messages or files."""

import gzip
import json
from pathlib import Path

import pytest

from postroad.cli.main import main
from postroad.model import PolicyType, TlsFailure, TlsResult
from postroad.trust.tls_report import ReportLetter, build_report, encode_report, write_letter

RESULTS = [
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
REPORT = build_report(
    RESULTS, day="2026-11-25", report_id="1@them.test", organization="Them", contact="x@them.test"
)
LETTER = ReportLetter(
    "x@them.test", "y@us.test", "them.test", "us.test", "2026-11-25", "now", "<1@them.test>"
)


@pytest.mark.parametrize(
    "data",
    [
        encode_report(REPORT),
        gzip.compress(encode_report(REPORT)),
        write_letter(LETTER, REPORT),
    ],
    ids=["json", "gzip", "message"],
)
def test_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes) -> None:
    file = tmp_path / "report"
    file.write_bytes(data)
    assert main(["tls-report", str(file)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Them  2026-11-25T00:00:00Z to 2026-11-25T23:59:59Z  1@them.test\n")
    assert "us.test  sts: 7 sessions went well, 2 failed" in shown
    assert "certificate-expired" in shown
    assert "\x1b" not in shown, "nothing of a stranger steers the terminal"
    assert main(["tls-report", str(file), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["policies"][0]["summary"]["total-failure-session-count"] == 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"Subject: no report\r\n\r\nx\r\n",
        b"{}",
        b"\x1f\x8bx",
        b"".join(
            b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (depth, depth)
            for depth in range(3000)
        ),
        gzip.compress(bytes(50 * 2**20)),
    ],
    ids=["empty", "mail", "object", "broken", "nested", "bomb"],
)
def test_what_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes) -> None:
    file = tmp_path / "report"
    file.write_bytes(data)
    assert main(["tls-report", str(file)]) == 65
    assert str(file) in capsys.readouterr().err


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tls-report", "/nowhere"]) == 66
    assert "/nowhere" in capsys.readouterr().err
