"""The pull reader: the same values as the reader of whole messages, from a file, at any buffer boundary."""

import io
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright.asn1.ber import element_to_der
from sealwright.asn1.pull_reader import PIECE_BYTES, PullReader
from sealwright.asn1.writer import header, tlv
from sealwright.errors import DecodingError

ANY_TAG = range(256)


class Dripping(io.BytesIO):
    """A file that gives little at a time."""

    def readinto(self, buffer):
        return super().readinto(memoryview(buffer)[:3])


def reader(octets, kind=io.BytesIO):
    return PullReader(kind(octets))


def chunked(content, size, nested=False):
    chunks = b"".join(tlv(4, content[at : at + size]) for at in range(0, len(content), size))
    return b"\x24\x80" + (b"\x24\x80" + chunks + b"\0\0" if nested else chunks) + b"\0\0"


CONTENT = bytes(range(256)) * 5


@pytest.mark.parametrize("kind", [io.BytesIO, Dripping])
@pytest.mark.parametrize(
    "octets",
    [
        tlv(4, CONTENT),
        chunked(CONTENT, 7),
        chunked(CONTENT, 100, nested=True),
        tlv(0x24, tlv(4, CONTENT[:10]), tlv(0x24, tlv(4, CONTENT[10:20]), tlv(4)), tlv(4, CONTENT[20:])),
        b"\x04\x84\x00\x00\x05\x00" + CONTENT,  # a longer length than DER would have
    ],
)
def test_a_string_comes_in_pieces_whatever_its_form(octets, kind):
    found = reader(octets, kind)
    assert b"".join(map(bytes, found.pieces(found.head(4, 0x24)))) == CONTENT
    found.finish_file()


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_a_string_crosses_the_buffer(more):
    content = b"x" * (PIECE_BYTES + more)
    found = reader(tlv(4, content) + tlv(2, b"\x07"))
    assert b"".join(map(bytes, found.pieces(found.head(4)))) == content
    assert found.raw() == tlv(2, b"\x07")


@pytest.mark.parametrize("kind", [io.BytesIO, Dripping])
def test_elements_are_read_whole_and_made_der(kind):
    inner = b"\x30\x80" + tlv(2, b"\x01") + chunked(b"abcdef", 2) + b"\0\0"
    assert reader(inner, kind).raw() == inner
    assert reader(inner, kind).der() == tlv(0x30, tlv(2, b"\x01"), tlv(4, b"abcdef"))


@pytest.mark.parametrize("outer", ["definite", "indefinite"])
def test_the_end_of_an_element_is_seen(outer):
    content = tlv(2, b"\x01") + tlv(2, b"\x02")
    octets = tlv(0x30, content) if outer == "definite" else b"\x30\x80" + content + b"\0\0"
    found = reader(octets + tlv(5))
    parent = found.head(0x30)
    values = []
    while found.next_tag(parent) is not None:
        values.append(found.raw())
    assert values == [tlv(2, b"\x01"), tlv(2, b"\x02")]
    assert found.raw() == tlv(5)


def test_a_place_can_be_read_again():
    found = reader(tlv(4, b"first") + tlv(4, b"second"), Dripping)
    found.raw()
    place = found.position
    assert (found.raw(), found.go_to(place), found.raw()) == (tlv(4, b"second"), None, tlv(4, b"second"))


@pytest.mark.parametrize(
    ("octets", "read"),
    [
        (b"", lambda r: r.head(4)),
        (b"\x04", lambda r: r.head(4)),
        (b"\x04\x80", lambda r: r.head(4)),  # X.690 section 8.1.3.2: primitive elements have a definite length
        (b"\x04\x89" + bytes(9), lambda r: r.head(4)),
        (tlv(2, b"\x01"), lambda r: r.head(4)),
        (tlv(4, b"cut off")[:-1], lambda r: list(r.pieces(r.head(4)))),
        (tlv(0x24, tlv(2, b"\x01")), lambda r: list(r.pieces(r.head(0x24)))),
        (tlv(0x24, tlv(4, b"long"))[:-1] + b"\x30", lambda r: [*r.pieces(r.head(0x24)), r.finish_file(), r.raw()]),
        (b"\x24\x03" + tlv(4, b"longer"), lambda r: list(r.pieces(r.head(0x24)))),
        (b"\x24\x80" * 100, lambda r: list(r.pieces(r.head(0x24)))),
        (b"\x30\x80" * 100, lambda r: r.raw()),
        (tlv(4, bytes(100)), lambda r: r.raw(limit=50)),
        (b"\x30\x80" + tlv(4, bytes(40)) * 2 + b"\0\0", lambda r: r.raw(limit=50)),
        (header(4, 1 << 60), lambda r: r.raw()),
        (tlv(0x30, tlv(2, b"\x01")), lambda r: r.finish(r.head(0x30))),
        (tlv(2, b"\x01") + b"!", lambda r: (r.raw(), r.finish_file())),
    ],
)
def test_what_is_no_ber_is_a_decoding_error(octets, read):
    with pytest.raises(DecodingError):
        read(reader(octets))


@given(st.binary(max_size=200), st.sampled_from([io.BytesIO, Dripping]))
def test_nothing_but_a_decoding_error_is_raised(octets, kind):
    for read in (
        lambda r: r.der(),
        lambda r: list(r.pieces(r.head(*ANY_TAG))),
        lambda r: r.finish(r.head(*ANY_TAG)),
    ):
        try:
            read(reader(octets, kind))
        except DecodingError:
            continue


def element_of(draw, depth):
    """Return an element of any form, as BER and as DER."""
    if depth == 0 or draw(st.booleans()):
        octets = draw(st.binary(max_size=20))
        return draw(st.sampled_from([tlv(4, octets), chunked(octets, 7)])), tlv(4, octets)
    children = [element_of(draw, depth - 1) for _ in range(draw(st.integers(0, 3)))]
    ber, der = (b"".join(each[form] for each in children) for form in (0, 1))
    long = b"\x30\x88" + len(ber).to_bytes(8, "big") + ber
    return draw(st.sampled_from([tlv(0x30, ber), long, b"\x30\x80" + ber + b"\0\0"])), tlv(0x30, der)


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_an_element_of_any_form_is_read_as_it_stands_and_becomes_der(data):
    ber, der = element_of(data.draw, 4)
    assert reader(ber).raw() == ber
    assert reader(ber).der() == element_to_der(der) == der


class Endless(io.RawIOBase):
    """A string of many chunks that is never held as a whole."""

    def __init__(self, chunk, times):
        self._left, self._chunk, self._times, self._end = b"\x24\x80", chunk, times, b"\0\0"

    def seek(self, *_):
        return 0

    def readinto(self, buffer):
        if not self._left:
            batch = min(self._times, 64)
            self._times -= batch
            self._left, self._end = (self._chunk * batch, self._end) if batch else (self._end, b"")
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count


def test_time_is_linear_in_the_number_of_chunks_and_memory_constant():
    def seconds(chunks, rounds=3):
        best = 9.0
        for _ in range(rounds):
            begun = time.process_time()
            found = PullReader(Endless(tlv(4, b"z" * 100), chunks))
            assert sum(map(len, found.pieces(found.head(0x24)))) == 100 * chunks
            best = min(best, time.process_time() - begun)
        return best

    assert seconds(64_000) < 24 * seconds(8_000)  # 8 if linear, 64 if quadratic
    tracemalloc.start()
    try:
        seconds(20_000, rounds=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * PIECE_BYTES
