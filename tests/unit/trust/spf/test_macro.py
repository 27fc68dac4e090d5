import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.trust.spf.macro import (
    InvalidMacro,
    MacroValues,
    expand,
    expand_domain,
    read_domain_spec,
    read_macro_string,
)

VALUES = MacroValues(
    sender="strong-bad@email.example.com",
    local_part="strong-bad",
    sender_domain="email.example.com",
    domain="email.example.com",
    dotted="192.0.2.3",
    readable="192.0.2.3",
    family="in-addr",
    helo="mx.example.org",
    receiver="mx.receiver.example",
    at=1_700_000_000,
)


@pytest.mark.parametrize(
    ("macro", "wanted"),
    [  # RFC 7208 §7.4
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d3}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr}", "strong-bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
        ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ("%{S}%%%_%-", "strong-bad%40email.example.com% %20"),
        ("%{d99999999999999999999}", "email.example.com"),
    ],
)
def test_the_examples_of_the_rfc(macro: str, wanted: str) -> None:
    assert expand(read_macro_string(macro), VALUES) == wanted


def test_explanations_know_more_letters() -> None:
    string = read_macro_string("%{c} at %{t} to %{r}", explanation=True)
    assert expand(string, VALUES) == "192.0.2.3 at 1700000000 to mx.receiver.example"
    for letter in "crt":
        with pytest.raises(InvalidMacro, match="outside of explanations"):
            read_macro_string(f"%{{{letter}}}")


@pytest.mark.parametrize("text", ["%", "%a", "%{", "%{x}", "%{d0}", "%{d00}", "a b", "\0", "%{d:}"])
def test_what_is_no_macro_string(text: str) -> None:
    with pytest.raises(InvalidMacro):
        read_macro_string(text)


@pytest.mark.parametrize(
    "text",
    ["", "com", "com.", "a.b-", "a.-b", "a.123", "a:b", "x.%%y", "a..", "%{d}com", "%%-", "a.%%-x"],
)
def test_what_is_no_domain_spec(text: str) -> None:
    with pytest.raises(InvalidMacro):
        read_domain_spec(text)


@pytest.mark.parametrize("text", ["a.b", "a.b.", "a.1-2", "%{d}", "x%_", "%-", "%{d}.com", "x.%%"])
def test_what_is_a_domain_spec(text: str) -> None:
    assert read_domain_spec(text).text == text


def test_an_address_where_a_domain_belongs_gets_a_hint() -> None:
    with pytest.raises(InvalidMacro, match="ip4:"):
        read_domain_spec("192.0.2.1")


def test_long_domains_lose_labels_at_the_left() -> None:
    spec = read_domain_spec(".".join(["%{d}"] * 20))
    domain = expand_domain(spec, VALUES)
    assert len(domain) <= 253
    assert domain.startswith(("email.", "example.", "com."))
    assert expand_domain(read_domain_spec("x" * 400 + "%{l}"), VALUES) == ""


@given(st.text(max_size=80) | st.text("%{}sldiphvrt0129r.-+,/_= aZ", max_size=80))
def test_reading_ends_in_a_macro_string_or_an_error(text: str) -> None:
    for explanation in (False, True):
        try:
            string = read_macro_string(text, explanation=explanation)
        except InvalidMacro:
            continue
        assert len(expand(string, VALUES)) <= 100 * len(text)
