"""`postroad certificate`: what there is, and what is said where there is none."""

import json
from pathlib import Path

import pytest

from postroad.cli.errors import Exit
from postroad.cli.main import main
from postroad.lab.ca import Authority
from postroad.runtime.certificate import write_self_signed


def write(tmp_path: Path, tls: str) -> str:
    path = tmp_path / "postroad.toml"
    path.write_text(
        f'[server]\nhostname = "mail.here.test"\ndata_dir = "{tmp_path}/data"\n[tls]\n{tls}\n'
    )
    return str(path)


def files(certificate: Path, key: Path) -> str:
    return f'certificate = "{certificate}"\nkey = "{key}"'


def test_files_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leaf = Authority(tmp_path / "ca").issue("mail.here.test")
    config = write(tmp_path, files(leaf.certificate, leaf.key))
    assert main(["certificate", "list", "--config", config]) == Exit.OK
    shown = capsys.readouterr().out
    assert "names    mail.here.test\nstate    good\n" in shown
    assert "TLSA     3 1 1 " in shown
    assert main(["certificate", "list", "--json", "--config", config]) == Exit.OK
    (plain,) = json.loads(capsys.readouterr().out)
    assert (plain["acme"], plain["state"]) == ("off", "good")
    assert main(["certificate", "renew", "--config", config]) == Exit.CONFIG
    assert "tls.acme is off" in capsys.readouterr().err


@pytest.mark.parametrize(("days", "state"), [(1, "expired"), (4, "to be renewed")])
def test_its_age(tmp_path: Path, capsys: pytest.CaptureFixture[str], days: int, state: str) -> None:
    leaf = Authority(tmp_path / "ca").issue("mail.here.test", days=days, starts_days_ago=3)
    config = write(tmp_path, files(leaf.certificate, leaf.key))
    assert main(["certificate", "list", "--config", config]) == Exit.OK
    assert f"state    {state}\n" in capsys.readouterr().out


def test_one_that_nobody_vouches_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_self_signed(tmp_path / "c.pem", tmp_path / "k.pem", ("mail.here.test",))
    config = write(tmp_path, files(tmp_path / "c.pem", tmp_path / "k.pem"))
    assert main(["certificate", "list", "--config", config]) == Exit.OK
    assert "state    signed by itself\n" in capsys.readouterr().out


def test_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["certificate", "list", "--config", write(tmp_path, "")]) == Exit.CONFIG
    assert "there is no certificate" in capsys.readouterr().err
    config = write(tmp_path, files(tmp_path / "c.pem", tmp_path / "k.pem"))
    assert main(["certificate", "list", "--config", config]) == Exit.NOINPUT
    (tmp_path / "c.pem").write_text("nonsense")
    assert main(["certificate", "list", "--config", config]) == Exit.DATAERR


ACME = """acme = "http-01"
[acme]
terms_agreed = true
directory = "https://127.0.0.1:1/dir"
"""


def test_a_renewal_that_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write(tmp_path, ACME)
    assert main(["certificate", "renew", "--config", config]) == Exit.TEMPFAIL
    assert "no new certificate: https://127.0.0.1:1/dir" in capsys.readouterr().err
    key, chain = (tmp_path / "k.pem", tmp_path / "c.pem")
    write_self_signed(chain, key, ("mail.here.test",))
    both = tmp_path / "data/acme/certificate.pem"
    both.write_bytes(key.read_bytes() + chain.read_bytes())
    assert main(["certificate", "list", "--config", config]) == Exit.OK
    assert "failed   1 times, next try " in capsys.readouterr().out


def test_a_renewal_that_need_not_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leaf = Authority(tmp_path / "ca").issue("mail.here.test")
    config = write(tmp_path, ACME)
    both = tmp_path / "data/acme/certificate.pem"
    both.parent.mkdir(parents=True)
    both.write_bytes(leaf.key.read_bytes() + leaf.certificate.read_bytes())
    assert main(["certificate", "renew", "--config", config]) == Exit.OK
    assert "the certificate is good; it is renewed from " in capsys.readouterr().out
    assert main(["certificate", "renew", "--force", "--config", config]) == Exit.TEMPFAIL
