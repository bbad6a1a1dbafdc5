"""What the load client counts and how it reads: bytes cut anywhere are counted once."""

from hypothesis import given
from hypothesis import strategies as st

from runward.bin.benching.connection import SeamCounter, unchunked


@given(st.lists(st.sampled_from([b"ab", b"a", b"b", b"x", b""]), max_size=40), st.data())
def test_a_word_is_counted_once_wherever_it_is_cut(words: list[bytes], data: st.DataObject) -> None:
    text = b"".join(words)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=10)))
    counter = SeamCounter(b"ab")
    for first, last in zip([0, *cuts], [*cuts, len(text)], strict=True):
        counter.feed(text[first:last])
    assert counter.count == text.count(b"ab")


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=20))
def test_a_chunked_body_gives_its_content(parts: list[bytes]) -> None:
    body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    assert unchunked(body) == b"".join(parts)
