import pytest

from postroad.trust.dmarc import Discovery, DnsFailed, Explorer
from postroad.trust.dmarc.discovery import walk
from tests.fake_dns import FakeDns


def dns(*failing: str, **records: str) -> FakeDns:
    """Names of the records have _ for dots: ``example_com="p=none"``."""
    return FakeDns(
        {
            f"_dmarc.{name.replace('_', '.')}": {"TXT": [f"v=DMARC1; {tags}"]}
            for name, tags in records.items()
        },
        [(f"_dmarc.{name}", "TXT") for name in failing],
    )


def test_the_walk_of_the_rfc() -> None:
    assert list(walk("a.b.c.d.e.f.g.h.i.j.mail.example.com")) == [
        "a.b.c.d.e.f.g.h.i.j.mail.example.com",
        "g.h.i.j.mail.example.com",
        "h.i.j.mail.example.com",
        "i.j.mail.example.com",
        "j.mail.example.com",
        "mail.example.com",
        "example.com",
        "com",
    ]
    assert list(walk("a.mail.example.com")) == [
        "a.mail.example.com",
        "mail.example.com",
        "example.com",
        "com",
    ]
    eight = "a.b.c.d.e.f.g.com"
    assert list(walk(eight))[:2] == [eight, "b.c.d.e.f.g.com"]
    assert len(list(walk(".".join("a" * 120)))) == 8
    assert list(walk("com")) == ["com"]


@pytest.mark.parametrize(
    ("records", "organizational"),
    [
        ({"mail_example_com": "p=none", "example_com": "p=none"}, "example.com"),
        ({"mail_example_com": "p=none; psd=n", "example_com": "p=none"}, "mail.example.com"),
        ({"com": "p=none; psd=y"}, "example.com"),
        ({"example_com": "p=none; psd=y"}, "mail.example.com"),
        ({"a_mail_example_com": "p=none; psd=y", "com": "p=none"}, "a.mail.example.com"),
        ({"a_mail_example_com": "p=none"}, "a.mail.example.com"),
        ({"com": "p=none"}, "com"),
        ({}, "a.mail.example.com"),
    ],
)
async def test_organizational_domains(records: dict[str, str], organizational: str) -> None:
    explorer = Explorer(dns(**records), Discovery.TREE_WALK)
    assert await explorer.organizational_domain("a.mail.example.com") == organizational


async def test_a_suffix_above_the_cut_of_a_long_name() -> None:
    explorer = Explorer(dns(d_e_f_g_h_i_com="psd=y"), Discovery.TREE_WALK)
    found = await explorer.organizational_domain("a.b.c.d.e.f.g.h.i.com")
    assert found == "c.d.e.f.g.h.i.com"


@pytest.mark.parametrize(
    ("records", "where"),
    [
        ({"a_example_com": "p=none", "example_com": "p=reject"}, "a.example.com"),
        ({"example_com": "p=reject", "com": "p=none; psd=y"}, "example.com"),
        ({"com": "p=reject; psd=y"}, "com"),
        ({"a_example_com": "p=none; psd=y", "com": "p=none; psd=y"}, "a.example.com"),
        ({}, None),
    ],
)
async def test_policies(records: dict[str, str], where: str | None) -> None:
    published = await Explorer(dns(**records), Discovery.TREE_WALK).policy("a.example.com")
    assert (published.domain if published else None) == where


async def test_each_name_is_asked_once() -> None:
    resolver = dns(com="p=none; psd=y")
    explorer = Explorer(resolver, Discovery.TREE_WALK)
    for _ in range(3):
        await explorer.policy("a.b.example.com")
        await explorer.organizational_domain("c.b.example.com")
    assert len(resolver.asked) == len(set(resolver.asked)) == 5


async def test_by_the_suffix_list() -> None:
    resolver = dns(example_co_uk="p=none")
    explorer = Explorer(resolver, Discovery.SUFFIX_LIST)
    published = await explorer.policy("a.b.c.example.co.uk")
    assert published is not None
    assert published.domain == "example.co.uk"
    assert [name for name, _ in resolver.asked] == [
        "_dmarc.a.b.c.example.co.uk",
        "_dmarc.example.co.uk",
    ]
    assert await explorer.organizational_domain("co.uk") == "co.uk"
    assert await explorer.policy("x.example.org") is None


async def test_several_records_are_none_and_noted() -> None:
    resolver = FakeDns(
        {"_dmarc.example.com": {"TXT": ["v=DMARC1; p=none", "v=DMARC1; p=reject", "other"]}}
    )
    explorer = Explorer(resolver, Discovery.TREE_WALK)
    assert await explorer.policy("example.com") is None
    assert explorer.notes == ["_dmarc.example.com has 2 DMARC records; none of them counts"]


async def test_hostile_answers() -> None:
    resolver = FakeDns(
        {"_dmarc.example.com": {"TXT": ["v=DMARC1; p=reject;" + "x" * 1_000_000, "y" * 1_000_000]}}
    )
    explorer = Explorer(resolver, Discovery.TREE_WALK)
    assert await explorer.policy("example.com") is None
    assert explorer.notes == [
        "the DMARC record of _dmarc.example.com is too long; it does not count"
    ]
    long_name = ".".join(["a" * 60] * 4) + ".com"
    assert len(f"_dmarc.{long_name}") > 253
    await explorer.policy(long_name)
    assert all(len(name) <= 253 for name, _ in resolver.asked)


async def test_a_dns_that_fails() -> None:
    explorer = Explorer(dns("example.com"), Discovery.TREE_WALK)
    for _ in range(2):
        with pytest.raises(DnsFailed, match=r"TXT of _dmarc\.example\.com: no answer"):
            await explorer.policy("a.example.com")
