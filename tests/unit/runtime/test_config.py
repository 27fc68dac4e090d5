"""Reading the configuration, and all that may be wrong with it."""

import datetime
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from postroad.delivery import DeliverySettings
from postroad.model import Address, Origin, ServerKind, TlsPolicy
from postroad.queue import QueueSettings
from postroad.runtime import settings as told
from postroad.runtime.config import (
    Config,
    ConfigInvalid,
    Endpoint,
    Peer,
    load_config,
    parse_endpoint,
    parse_peer,
)
from postroad.runtime.config.describe import dump, reference, settings
from postroad.service.authenticate import AuthenticatorSettings
from postroad.service.logins import LoginSettings
from postroad.wire.pop3 import ServerConfig as Pop3ServerConfig
from postroad.wire.smtp import ServerConfig

ROOT = Path(__file__).resolve().parents[3]
LEAST = '[server]\nhostname = "mail.here.test"\n'
MINIMAL = Config.model_validate({"server": {"hostname": "mail.here.test"}})


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "postroad.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    path = write(tmp_path, text)
    with pytest.raises(ConfigInvalid) as error:
        load_config(path, environ or {})
    return [each.replace(f"{path}: ", "") for each in error.value.problems]


def test_a_host_name_is_enough(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, LEAST), {})
    assert config == MINIMAL
    assert config.listen.mx == (Endpoint("*", 25),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", 'server: must be set, as in: [server] hostname = "mail.example.org"'),
        (
            "[server]\n",
            'server.hostname: must be set, as in: [server] hostname = "mail.example.org"',
        ),
        (
            '[server]\nhostname = "mail_here"\n',
            "server.hostname = \"mail_here\": domain 'mail_here' has an empty label, a hyphen at an "
            "edge or a character beyond a-z 0-9 -; a full host name is wanted, as in "
            "'mail.example.org'",
        ),
        (
            LEAST + "[limits]\nmax_hop = 3\n",
            "limits.max_hop: there is no such setting; did you mean max_hops?",
        ),
        (LEAST + "[limit]\n", "limit: there is no such setting; did you mean limits?"),
        (
            LEAST + "[mx]\nport = 25\n",
            "mx.port: there is no such setting; it belongs to another section: delivery.port",
        ),
        (
            LEAST + "[mx]\nbanana = 1\n",
            "mx.banana: there is no such setting; [mx] has tls_required",
        ),
        (
            LEAST + "[streams.codes]\nsenders = ['otp@']\n",
            "streams.codes.senders = [\"otp@\"]: 'otp@' is neither an address nor '@' and a domain: "
            "domain is missing",
        ),
        (
            LEAST + "[streams.a]\nsenders = 'a@b.test'\nreturn_path = 'bounce'\n",
            "streams.a.return_path = \"bounce\": 'bounce' is no address: address has no @ and domain",
        ),
        (
            LEAST + f"[streams.a]\nsenders = 'a@b.test'\nreturn_path = '{'b' * 28}@b.test'\n",
            f"streams.a.return_path = \"{'b' * 28}@b.test\": '{'b' * 28}@b.test': the part before the @ "
            "must be ASCII and leave room for a mark, so it may have 27 letters at most",
        ),
        (
            LEAST + "[bounces]\ncomplaints = ['@b.test']\n",
            "bounces.complaints = [\"@b.test\"]: '@b.test' is a whole domain; name an address",
        ),
        (
            LEAST + "[streams.codes]\nunknown = 'hold'\n",
            "streams: 'codes' has neither senders nor accounts, so no mail is in it",
        ),
        (
            LEAST + "[streams.news]\nsenders = 'a@b.test'\nkind = 'broadcast'\n",
            'streams.news: kind = "broadcast" needs unsubscribe_domain, the host name of the page where '
            "recipients unsubscribe",
        ),
        (
            LEAST + "[streams.news]\nsenders = 'a@b.test'\nunsubscribe_domain = 'news.b.test'\n",
            "streams.news: unsubscribe_domain is set and suppression is off: nobody could unsubscribe",
        ),
        (
            LEAST + "[streams.news]\nsenders = 'a@b.test'\nunsubscribe_address = 'leave@b.test'\n",
            "streams.news: unsubscribe_address needs unsubscribe_domain",
        ),
        (
            LEAST + "[streams.news]\nsenders = 'a@b.test'\ntrack_opens = true\n",
            "streams.news: track_opens and track_clicks need tracking_domain",
        ),
        (
            LEAST + "[streams.news]\nsenders = 'a@b.test'\nkind = 'broadcast'\n"
            "unsubscribe_domain = 'news.b.test'\nunsubscribe_address = 'x@b.test'\n"
            "[streams.a]\nsenders = 'c@b.test'\nreturn_path = 'X@b.test'\n",
            "streams: 'x@b.test' is both an unsubscribe_address and a return_path: bounces would be "
            "taken for the wish to leave",
        ),
        (
            LEAST + "[streams.news]\nsenders = 'a@b.test'\nkind = 'bulk'\n",
            "streams.news.kind = \"bulk\": is none of 'transactional', 'broadcast' or 'custom'",
        ),
        (
            LEAST + "[streams.default]\nsenders = 'a@b.test'\n",
            "streams: 'default' is the stream of all other mail; set queue.unknown instead",
        ),
        (
            LEAST + "[streams.'New S']\nsenders = 'a@b.test'\n",
            "streams: 'New S' is no name of a stream: these are of a-z, 0-9, '-' and '_', at most 32 "
            "letters",
        ),
        (
            LEAST + "[streams.a]\nsenders = 'a@b.test'\n[streams.b]\nsenders = 'A@b.test'\n",
            "streams: 'a@b.test' is in senders of both 'a' and 'b'",
        ),
        (
            LEAST + "[streams.a]\nunknown = 'drop'\nsenders = 'a@b.test'\n",
            "streams.a.unknown = \"drop\": is none of 'retry' or 'hold'",
        ),
        (
            LEAST + "[streams.a]\nunknwon = 'hold'\nsenders = 'a@b.test'\n",
            "streams.a.unknwon: there is no such setting; did you mean unknown?",
        ),
        (LEAST + "[limits]\nmax_hops = 0\n", "limits.max_hops = 0: is too small; the least is 1"),
        (
            LEAST + "[delivery]\nport = 70000\n",
            "delivery.port = 70000: is too large; the most is 65535",
        ),
        (LEAST + '[limits]\nmax_hops = "x"\n', 'limits.max_hops = "x": is not a whole number'),
        (
            LEAST + "[delivery]\nallow_private = 'maybe'\n",
            'delivery.allow_private = "maybe": is neither true nor false',
        ),
        (
            LEAST + "[limits]\nmax_message_octets = '50 stone'\n",
            "limits.max_message_octets = \"50 stone\": '50 stone' is not a size; "
            "write octets as 65536 or '64 KiB', '50 MiB'",
        ),
        (
            LEAST + "[limits]\ncommand_seconds = 'soon'\n",
            "limits.command_seconds = \"soon\": 'soon' is not a time; "
            "write seconds as 300 or '90s', '5m', '4h', '5d'",
        ),
        (
            LEAST + "[listen]\nmx = '127.0.0.1'\n",
            "listen.mx = \"127.0.0.1\": '127.0.0.1' has no port; write it as address:port, as in "
            "'127.0.0.1:2525'",
        ),
        (
            LEAST + "[listen]\nmx = ['mail.here.test:25']\n",
            "listen.mx = [\"mail.here.test:25\"]: 'mail.here.test:25' does not begin with an IP "
            "address; write '127.0.0.1:2525', '[::1]:2525' or '*:2525' for all addresses",
        ),
        (
            LEAST + "[listen]\nmx = ['127.0.0.1:66000']\n",
            "listen.mx = [\"127.0.0.1:66000\"]: port '66000' in '127.0.0.1:66000' is not a number "
            "from 0 to 65535",
        ),
        (
            LEAST + "[tls]\ncertificate = '/x'\n",
            "tls: certificate and key belong together, and key is not set",
        ),
        (
            LEAST + "[delivery]\ntls = 'maybe'\n",
            "delivery.tls = \"maybe\": is none of 'none', 'opportunistic', 'encrypt', 'verify' or "
            "'implicit'",
        ),
        (
            LEAST + "[delivery]\nnameservers = ['ns.here.test']\n",
            "delivery.nameservers = [\"ns.here.test\"]: name server 'ns.here.test' is not an IP "
            "address, or not address:port",
        ),
        (
            LEAST + "[pop3]\nautologout_seconds = 60\n",
            "pop3.autologout_seconds = 60: is too small; the least is 600",
        ),
        (
            LEAST + "[routes.'*']\nusername = 'x'\nvia = 'relay.test'\n",
            'routes."*": username needs a password_file (or password), and the other way round',
        ),
        (
            LEAST + "[routes.'*']\n",
            'routes."*".via: must be set, as in: via = "relay.example.org:587"',
        ),
        (
            LEAST + "[routes.'not a domain']\nvia = 'relay.test'\n",
            "routes: 'not a domain' is neither a domain nor '*': domain 'not a domain' has an empty "
            "label, a hyphen at an edge or a character beyond a-z 0-9 -",
        ),
        (
            LEAST + "[limits]\nmax_header_octets = '2 MiB'\nmax_message_octets = '1 MiB'\n",
            "limits.max_header_octets is more than limits.max_message_octets",
        ),
        ("server = 3\n", "server = 3: is not a table of settings"),
        (
            "[server\n",
            "is not TOML: Expected ']' at the end of a table declaration (at line 1, column 8)",
        ),
    ],
)
def test_a_mistake_is_named_with_its_mend(tmp_path: Path, text: str, problem: str) -> None:
    assert problems(tmp_path, text) == [problem]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('[trust]\nrelays = ["10.0.0.1/8"]\n', "has host bits set; networks are wanted, as"),
        ("[trust]\nrelays = 7\n", "trust.relays = 7: a list of networks is wanted"),
        ('[trust]\nsealers = ["a b"]\n', "a list of domains is wanted"),
        ('[trust]\nauthserv_id = "a;b"\n', 'trust.authserv_id = "a;b"'),
        ('[policy]\nchecks = ["spam"]\n', "policy.checks = [\"spam\"]: 'spam' names no check"),
    ],
)
def test_mistakes_of_trust_and_policy(tmp_path: Path, line: str, words: str) -> None:
    (problem,) = problems(tmp_path, LEAST + line)
    assert words in problem


def test_all_mistakes_are_said_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        LEAST + "[limits]\nmax_hops = 0\n[tlss]\n",
        {"POSTROAD_MX__TLS_REQUIRED": "perhaps", "POSTROAD_LIMITS__MAX_HOBS": "1"},
    )
    assert found == [
        "environment: POSTROAD_LIMITS__MAX_HOBS: there is no such setting; "
        "did you mean POSTROAD_LIMITS__MAX_HOPS?",
        "limits.max_hops = 0: is too small; the least is 1",
        'environment: POSTROAD_MX__TLS_REQUIRED = "perhaps": is neither true nor false',
        "tlss: there is no such setting; did you mean tls?",
    ]


def test_a_password_is_not_shown_in_errors(tmp_path: Path) -> None:
    found = problems(
        tmp_path, LEAST + "[routes.'*']\nvia = 'a.test'\nusername = 'x'\npassword = 12345\n"
    )
    assert found == ['routes."*".password: is not a text; put it in quotes']


def test_the_environment_wins(tmp_path: Path) -> None:
    secret = tmp_path / "hostname"
    secret.write_text("from-a-file.test\nand more\n")
    config = load_config(
        write(tmp_path, LEAST + "[limits]\nmax_hops = 30\n"),
        {
            "POSTROAD_LIMITS__MAX_HOPS": "40",
            "POSTROAD_SERVER__HOSTNAME_FILE": str(secret),
            "POSTROAD_LISTEN__MX": "127.0.0.1:2525, [::1]:2525",
            "POSTROAD_LISTEN__LOCAL": "",
            "POSTROAD_QUEUE__LIFETIME_SECONDS": "2d",
            "POSTROAD_ROUTES": '{"*": {"via": "relay.test:587"}}',
            "POSTROAD_CONFIG": "ignored where a file is given",
            "POSTROAD_HOME": "another program's own",
        },
    )
    assert config.limits.max_hops == 40
    assert config.server.hostname == "from-a-file.test"
    assert config.listen.mx == (Endpoint("127.0.0.1", 2525), Endpoint("::1", 2525))
    assert config.listen.local is None
    assert config.queue.lifetime_seconds == 172_800
    assert config.routes["*"].peer == Peer("relay.test", 587)


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({"POSTROAD_ROUTES": "{"}, "environment: POSTROAD_ROUTES: is not JSON"),
        (
            {"POSTROAD_SERVER__HOSTNAME_FILE": "/nonexistent"},
            "environment: POSTROAD_SERVER__HOSTNAME_FILE=/nonexistent: [Errno 2] No such file",
        ),
        (
            {"POSTROAD_SRVER__HOSTNAME": "x"},
            "environment: POSTROAD_SRVER__HOSTNAME: there is no such setting; "
            "did you mean POSTROAD_SERVER__HOSTNAME?",
        ),
        (
            {"POSTROAD_BANANA__X": "x"},
            "environment: POSTROAD_BANANA__X: there is no such setting; the sections are server,",
        ),
    ],
)
def test_mistakes_in_the_environment(tmp_path: Path, environ: dict[str, str], problem: str) -> None:
    (found,) = problems(tmp_path, LEAST, environ)
    assert found.startswith(problem)


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="there is no such file"):
        load_config(tmp_path / "none.toml", {"POSTROAD_SERVER__HOSTNAME": "mail.here.test"})


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("127.0.0.1:25", Endpoint("127.0.0.1", 25)),
        ("[::1]:25", Endpoint("::1", 25)),
        ("*:0", Endpoint("*", 0)),
        ("localhost:25", Endpoint("127.0.0.1", 25)),
    ],
)
def test_endpoints(text: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(text) == endpoint
    assert parse_endpoint(str(endpoint)) == endpoint


@pytest.mark.parametrize("text", [":25", "[::1]25", "::1:25", "1.2.3.4:٣", "[::1]", "1.2.3.4:-1"])
def test_endpoints_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="'"):
        parse_endpoint(text)


def test_peers() -> None:
    assert parse_peer("Relay.Test") == Peer("relay.test")
    assert parse_peer("relay.test", default_port=24) == Peer("relay.test", 24)
    assert str(parse_peer("[::1]:24")) == "[::1]:24"
    with pytest.raises(ValueError, match="names no host"):
        parse_peer("a b:25")


@pytest.mark.parametrize(
    ("rule", "port", "policy"),
    [
        ({}, 25, TlsPolicy.OPPORTUNISTIC),
        ({"protocol": "lmtp"}, 24, TlsPolicy.OPPORTUNISTIC),
        ({"username": "u", "password": "p"}, 587, TlsPolicy.VERIFY),
        ({"username": "u", "password": "p", "tls": "implicit"}, 465, TlsPolicy.IMPLICIT),
        ({"tls": "none"}, 25, TlsPolicy.NONE),
    ],
)
def test_what_a_route_leaves_out(rule: dict[str, str], port: int, policy: TlsPolicy) -> None:
    config = Config.model_validate(
        {"server": {"hostname": "a.test"}, "routes": {"B.test": {"via": "relay.test", **rule}}}
    )
    made = told.remote(config)
    relay = (made.lmtp if rule.get("protocol") else made.smarthosts)["b.test"]
    assert (relay.port, relay.tls) == (port, policy)


def test_a_password_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("se cret\r\nnot this\n")
    rule = {"via": "relay.test", "username": "u", "password_file": str(tmp_path / "password")}
    config = Config.model_validate({"server": {"hostname": "a.test"}, "routes": {"*": rule}})
    assert told.remote(config).smarthosts["*"].credentials == ("u", "se cret")
    (tmp_path / "password").write_text("\n")
    with pytest.raises(ValueError, match="is empty"):
        told.remote(config)


def test_what_is_dumped_can_be_read_again() -> None:
    config = Config.model_validate(
        {
            "server": {"hostname": "a.test"},
            "listen": {"mx": ["[::1]:0"], "local": ""},
            "limits": {"max_message_octets": "1 GiB", "command_seconds": 0.25},
            "routes": {"*": {"via": "relay.test:1", "tls": "encrypt"}},
            "streams": {
                "codes": {"senders": ["OTP@shop.test"], "unknown": "hold"},
                "news": {"accounts": ["@list.test"]},
            },
        }
    )
    assert Config.model_validate(tomllib.loads(dump(config))) == config


def test_passwords_are_not_dumped() -> None:
    rule = {"via": "relay.test", "username": "u", "password": "tell-nobody"}
    config = Config.model_validate({"server": {"hostname": "a.test"}, "routes": {"*": rule}})
    assert "tell-nobody" not in dump(config) + repr(config)


def test_streams_are_told_to_queue_and_intake() -> None:
    config = Config.model_validate(
        {
            "server": {"hostname": "a.test"},
            "queue": {"unknown": "hold"},
            "streams": {
                "codes": {"senders": ["OTP@shop.test"], "unknown": "retry"},
                "news": {"accounts": ["@list.test"]},
            },
        }
    )
    queue = told.queue(config, "main")
    assert [queue.unknown_of(name).value for name in ("", "codes", "news", "gone")] == [
        "hold",
        "retry",
        "hold",
        "hold",
    ]
    streams = told.intake(config).streams
    assert streams.of(Address.parse("otp@SHOP.test"), Origin(ServerKind.LOCAL)) == "codes"


def test_the_rooms_have_the_same_defaults() -> None:
    """A setting left out means the same as not asking at all."""
    hostname = "mail.here.test"
    queue = replace(told.queue(MINIMAL, "main"), inherits=None)  # by server.workers
    assert queue == QueueSettings(hostname=hostname)
    assert told.authenticator(MINIMAL) == AuthenticatorSettings()
    assert told.login_book(MINIMAL) == LoginSettings()
    made = told.remote(MINIMAL)
    assert made == DeliverySettings(hostname=hostname, own_names=frozenset({hostname}))
    assert told.smtp_machine(MINIMAL, ServerKind.MX, tls=False) == ServerConfig(hostname=hostname)
    assert told.pop3_machine(MINIMAL, tls=False) == Pop3ServerConfig(hostname=hostname)


def test_every_setting_of_the_rooms_can_be_set() -> None:
    """A limit that a room knows and the configuration does not could never be changed."""
    names = {each.name.rpartition(".")[2] for each in settings()}
    rooms = (QueueSettings, AuthenticatorSettings, DeliverySettings, ServerConfig, Pop3ServerConfig)
    elsewhere = {
        "hostname",  # server.hostname
        "inherits",  # server.workers
        "own_names",
        "own_endpoints",
        "smarthosts",  # routes
        "streams",  # [streams.NAME]
        "lmtp",
        "timeouts",  # delivery.*_seconds
        "route_cache_entries",  # bounds memory only
        "max_remembered",
        "starttls",  # tls.certificate
        "auth",
        "implementation",
        "tls_reports",  # tls_reports.contact
        "pool",  # delivery.sources
        "pools",  # sources.NAME
        "providers",  # providers.NAME
    }
    for room in rooms:
        known = {field.name for field in msgspec.structs.fields(room)}
        assert known - names <= elsewhere, room


def test_submission_offers_logins_only_where_they_are_safe() -> None:
    kind = ServerKind.SUBMISSION
    assert told.smtp_machine(MINIMAL, kind, tls=False).auth == ()
    machine = told.smtp_machine(MINIMAL, kind, tls=True)
    assert machine.auth == ("SCRAM-SHA-256", "PLAIN", "LOGIN")
    assert machine.auth_required
    assert not machine.auth_without_tls
    assert told.smtp_machine(MINIMAL, ServerKind.MX, tls=True).auth == ()
    local = told.smtp_machine(MINIMAL, ServerKind.LOCAL, tls=True)
    assert not local.starttls
    assert not local.auth_required


def test_every_setting_is_described() -> None:
    for setting in settings():
        assert setting.description.endswith("."), setting.name
        numeric = setting.type in ("number", "seconds")
        assert not numeric or setting.bounds, f"{setting.name} has no bounds"
        if setting.type == "seconds":
            assert setting.name.endswith("_seconds"), setting.name


def test_the_reference_is_up_to_date() -> None:
    text = (ROOT / "docs/reference/config.md").read_text(encoding="utf-8")
    assert text == reference(), "run: python -m postroad.runtime.config.describe"


def test_the_howto_uses_real_settings() -> None:
    text = (ROOT / "docs/howto/run-a-domain.md").read_text(encoding="utf-8")
    blocks = re.findall(r"(?:^    .*\n|^\n)+", text, re.MULTILINE)
    tables = [block for block in blocks if re.search(r"^    \[[a-z]+", block, re.MULTILINE)]
    assert tables
    for block in tables:
        values = tomllib.loads(re.sub(r"^    ", "", block, flags=re.MULTILINE))
        Config.model_validate({"server": {"hostname": "a.test"}} | values)


@pytest.mark.parametrize(
    ("changes", "mistake"),
    [
        ({"introspection_url": "http://id.test/"}, "is no address of the form https://HOST/PATH"),
        ({"client_secret": ""}, "needs client_id and client_secret"),
        ({"keys": ["/k.pem"]}, "keep one"),
        ({"issuer": ""}, "needs issuer, and audience or scope"),
        ({"audience": ""}, "needs issuer, and audience or scope"),
        ({"introspection_url": ""}, "or introspection_url"),
        ({"introspection_url": "", "issuer": ""}, "are for introspection_url"),
        ({"introspection_seconds": 0}, "introspection_seconds"),
        ({"audience": "", "scope": "mail"}, ""),
        ({}, ""),
    ],
)
def test_asking_an_issuer_about_tokens(changes: dict[str, object], mistake: str) -> None:
    section = {
        "issuer": "https://id.test",
        "audience": "mail",
        "introspection_url": "https://id.test/introspect",
        "client_id": "postroad",
        "client_secret": "hush",
        **changes,
    }
    values = {"server": {"hostname": "mx.us.test"}, "oauth": section}
    if not mistake:
        assert "hush" not in dump(Config.model_validate(values))
        return
    with pytest.raises(ValidationError) as invalid:
        Config.model_validate(values)
    assert mistake in str(invalid.value)


def test_the_howto_on_how_mail_leaves_uses_real_settings() -> None:
    text = (ROOT / "docs/howto/control-how-mail-leaves.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```toml\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    values: dict[str, Any] = {"server": {"hostname": "mail.here.test"}}
    for block in blocks:
        for section, tables in tomllib.loads(block).items():
            for name, table in tables.items():
                known = values.setdefault(section, {})
                known[name] = table
    config = Config.model_validate(values)
    pools = told.remote(config).pools
    day = (datetime.date(2026, 11, 25) - datetime.date(1970, 1, 1)).days
    old, new = pools["bulk"]
    assert (new.address, new.helo, new.since) == ("192.0.2.21", "news2.example.org", day)
    assert [new.cap(day + days) for days in (0, 1, 4, 400)] == [50, 50, 500, 100_000]
    assert old.cap(day) is None
    queue = told.queue(config, "n1")
    assert (queue.pool_of(""), queue.pool_of("news")) == ("main", "bulk")
    assert queue.providers["google"].per_minute == 1200


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"delivery": {"sources": "x"}}, "delivery.sources is 'x', and there is no"),
        (
            {"streams": {"a": {"senders": ["@a.test"], "sources": "x"}}},
            "streams.a.sources is 'x', and there is no",
        ),
        (
            {"sources": {"a": {"addresses": ["192.0.2.1"], "warmup": "x"}}},
            "sources.a.warmup is 'x', and there is no",
        ),
        ({"sources": {"a": {"addresses": ["mx.here.test"]}}}, "does not begin with an IP address"),
        ({"sources": {"a": {"addresses": ["192.0.2.1 x y z"]}}}, "write an address, the name"),
        ({"sources": {"a": {"addresses": ["192.0.2.1 a_b!"]}}}, "is no host name"),
        ({"sources": {"a": {"addresses": ["192.0.2.1 a.test 25.11."]}}}, "is no date like"),
        ({"sources": {"A b": {"addresses": ["192.0.2.1"]}}}, "is no name of a pool"),
        ({"warmups": {"a": {"caps": ["50"]}}}, "write days:cap"),
        ({"warmups": {"a": {"caps": ["3:50"]}}}, "must begin with day 0"),
        ({"warmups": {"a": {"caps": ["0:50", "0:60"]}}}, "the days of a plan must rise"),
        ({"warmups": {"a": {"caps": ["0:0"]}}}, "a cap is 1 to"),
        ({"providers": {"a": {"hosts": ["a b"]}}}, "a b"),
    ],
)
def test_mistakes_in_how_mail_leaves_are_told(sections: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        Config.model_validate({"server": {"hostname": "mail.here.test"}, **sections})


def test_workers_share_what_a_provider_gets() -> None:
    config = Config.model_validate(
        {
            "server": {"hostname": "mail.here.test", "workers": 4},
            "providers": {"big": {"hosts": ["big.test"], "per_minute": 100, "concurrency": 3}},
        }
    )
    limit = told.queue(config, "n1").providers["big"]
    assert (limit.per_minute, limit.concurrency) == (25, 1)


def test_the_howto_on_watching_uses_real_settings() -> None:
    text = (ROOT / "docs/howto/watch-your-mail.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```toml\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    values: dict[str, Any] = {"server": {"hostname": "mail.here.test"}}
    for block in blocks:
        values |= tomllib.loads(block)
    config = Config.model_validate(values)
    assert [str(each) for each in config.listen.metrics] == ["127.0.0.1:9587"]
    assert config.log.mail
    assert config.telemetry.endpoint == "http://127.0.0.1:4318/v1/traces"


@pytest.mark.parametrize("endpoint", ["*:9587", "192.0.43.10:9587", "[::]:9587", "0.0.0.0:9587"])
def test_metrics_are_not_for_strangers(endpoint: str) -> None:
    with pytest.raises(ValueError, match="can be reached by strangers, and metrics have no"):
        Config.model_validate(
            {"server": {"hostname": "mail.here.test"}, "listen": {"metrics": [endpoint]}}
        )
