"""Settings of ACME: what contradicts itself is said at the start; secrets are not shown."""

from pathlib import Path
from typing import Any

import pytest

from postroad.network.acme import DnsProof, HttpProof
from postroad.runtime import settings
from postroad.runtime.check import problems_of
from postroad.runtime.config import Config, ConfigInvalid, load_config
from postroad.runtime.config.describe import HIDDEN, dump, to_plain


def write(tmp_path: Path, tls: str, acme: str) -> Path:
    path = tmp_path / "postroad.toml"
    path.write_text(
        f'[server]\nhostname = "mail.here.test"\ndata_dir = "{tmp_path}/data"\n'
        f"[tls]\n{tls}\n[acme]\n{acme}\n"
    )
    return path


@pytest.mark.parametrize(
    ("tls", "acme", "problem"),
    [
        ('acme = "http-01"', "", "acme.terms_agreed is not: read the terms of https://acme-v02"),
        (
            'acme = "http-01"\ncertificate = "/c"\nkey = "/k"',
            "terms_agreed = true",
            "certificate and key are files of yours, or acme is on: not both",
        ),
        ('acme = "dns-01"', "terms_agreed = true", "needs acme.dns_command or acme.dns_server"),
        (
            'acme = "http-01"',
            'terms_agreed = true\nnames = ["*.here.test"]',
            'which needs tls.acme = "dns-01"',
        ),
        (
            'acme = "http-01"\nwatch_seconds = 0',
            "terms_agreed = true",
            "a renewed certificate would not be used",
        ),
        ('acme = "tls-alpn-01"', "", "is none of 'off', 'http-01' or 'dns-01'"),
        ("", 'directory = "http://here.test"', "no https:// URL"),
        ("", 'contact = "nobody"', "address has no @ and domain"),
        ("", 'names = ["here"]', "it has no dot"),
        ("", 'names = ["a..b"]', "is no name for a certificate"),
        ("", 'eab_key_id = "x"', "eab_key_id and eab_hmac_key belong together"),
        ("", 'tsig_name = "x"', "tsig_name and tsig_secret belong together"),
        ("", 'dns_server = "ns.here.test"', "is not an IP address"),
        (
            "",
            'dns_server = "192.0.2.1"\ndns_command = ["x"]',
            "dns_command and dns_server are two ways for one thing",
        ),
        ("", 'retry_min_seconds = "2d"', "is too large"),
        ("", 'retry_min_seconds = "1d"', "retry_min_seconds is more than retry_max_seconds"),
    ],
)
def test_mistakes(tmp_path: Path, tls: str, acme: str, problem: str) -> None:
    with pytest.raises(ConfigInvalid) as error:
        load_config(write(tmp_path, tls, acme), {})
    assert any(problem in each for each in error.value.problems), error.value.problems


def test_a_secret_is_not_shown(tmp_path: Path) -> None:
    path = write(tmp_path, "", 'tsig_name = "x"\ntsig_secret = "s3cret"\neab_key_id = "k"')
    with pytest.raises(ConfigInvalid) as error:
        load_config(path, {"POSTROAD_ACME__EAB_HMAC_KEY": "[]", "POSTROAD_ACME__TSIG_NAME": ""})
    assert "s3cret" not in str(error.value)
    path = write(tmp_path, "", 'tsig_name = "x"\ntsig_secret = "s3cret"')
    config = load_config(path, {})
    assert "s3cret" not in dump(config)
    assert to_plain(config)["acme"]["tsig_secret"] == HIDDEN
    assert to_plain(config)["acme"]["eab_hmac_key"] == ""


def make(tmp_path: Path, mode: str, **acme: Any) -> Config:
    return Config.model_validate(
        {
            "server": {"hostname": "mail.here.test", "data_dir": str(tmp_path / "data")},
            "tls": {"acme": mode},
            "acme": {"terms_agreed": True, **acme},
        }
    )


def test_what_is_made_of_it(tmp_path: Path) -> None:
    by_http = make(tmp_path, "http-01", eab_key_id="k", eab_hmac_key="h")
    both = tmp_path / "data/acme/certificate.pem"
    assert by_http.certificate_files == (both, both)
    assert (
        problems_of(by_http, tmp_path / "postroad.toml") == []
    )  # nothing is there yet, and that is well
    assert isinstance(settings.acme_proof(by_http), HttpProof)
    told = settings.acme(by_http)
    assert told.account_key == tmp_path / "data/acme/account.pem"
    assert told.binding is not None
    assert told.binding.key_id == "k"
    by_command = make(tmp_path, "dns-01", dns_command=["/bin/x"], names="*.here.test, here.test")
    assert by_command.acme.names == ("*.here.test", "here.test")
    assert isinstance(settings.acme_proof(by_command), DnsProof)
    by_update = make(
        tmp_path, "dns-01", dns_server="192.0.2.1:5353", tsig_name="a", tsig_secret="b"
    )
    assert isinstance(settings.acme_proof(by_update), DnsProof)


def test_port_80_is_bound_only_for_proofs(tmp_path: Path) -> None:
    from postroad.runtime.listeners import ACME, Listeners

    nowhere: dict[str, Any] = {
        name: [] for name in ("mx", "submission", "submissions", "pop3", "pop3s")
    }
    for mode, bound in (("http-01", True), ("dns-01", False), ("off", False)):
        config = make(tmp_path, mode, dns_command=["/bin/x"])
        listen = config.listen.model_validate(nowhere | {"acme": "127.0.0.1:0", "local": ""})
        listeners = Listeners.bind(config.model_copy(update={"listen": listen}))
        assert (ACME in listeners.addresses) is bound
        listeners.close()
