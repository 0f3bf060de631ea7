"""Texts in which words, signs, scripts and blanks meet in ways that prose seldom has."""

from hypothesis import strategies as st

PIECES = (
    *"a1 \n.,-'/:@_#~$%(?⋯¶漢かカ한กé\u0301😀",
    *("don't", "5 km", " May ", "2023", "http://x", "年", "--", "\x00", "\ud800"),
)
mixed_texts = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
texts = st.one_of(st.text(max_size=60), mixed_texts)
