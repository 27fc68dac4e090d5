"""`postroad reports` on files, and on the mailbox of an account that got them."""

import asyncio
import json
from pathlib import Path

import pytest

from postroad.cli.errors import Exit
from postroad.cli.main import main
from postroad.lab.world import World
from postroad.trust.dmarc_report import Letter, write_aggregate, write_letter
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
