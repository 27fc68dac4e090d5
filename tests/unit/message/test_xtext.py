from hypothesis import given
from hypothesis import strategies as st

from postroad.message.xtext import decode_orcpt, decode_xtext, encode_xtext

printable = st.text(st.characters(min_codepoint=32, max_codepoint=126))


@given(printable)
def test_there_and_back(text: str) -> None:
    encoded = encode_xtext(text)
    assert decode_xtext(encoded) == text
    assert not set(encoded) & set(" =")


@given(st.text())
def test_decoding_yields_printable_ascii(text: str) -> None:
    assert all(" " <= letter <= "~" for letter in decode_xtext(text))


@given(st.text())
def test_any_orcpt_is_decoded(text: str) -> None:
    decode_orcpt(text).encode("utf-8", "surrogatepass")


def test_orcpt() -> None:
    assert decode_orcpt("rfc822;bob+40example.org") == "rfc822; bob@example.org"
    assert decode_orcpt("RFC822;a+2Bb@x") == "rfc822; a+b@x"
    assert decode_orcpt("utf-8;\\x{E4}@x") == "utf-8; ä@x"
    assert decode_orcpt("utf-8;\\x{D800}\\x{FFFFFF}") == "utf-8; ??"
    assert decode_orcpt("bob@x") == "rfc822; bob@x"
    # As Postfix writes it.
    assert decode_orcpt("rfc822;j+C3+BCr+2Bgen@x") == "utf-8; jür+gen@x"
    assert decode_orcpt("rfc822;j+FCr+2Bgen@x") == "rfc822; j?r+gen@x"
    assert decode_xtext("a+0D+0AEvil: b") == "a??Evil: b"
