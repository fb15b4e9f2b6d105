"""The BER reader: each element read once, limits, one kind of error."""

import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright.asn1 import ber
from sealwright.asn1.ber import cms_to_der
from sealwright.asn1.writer import tlv
from sealwright.errors import DecodingError

SIGNED, DATA = bytes.fromhex("06092a864886f70d010702"), bytes.fromhex("06092a864886f70d010701")
END = b"\0\0"


def signed_data(octets: bytes) -> bytes:
    """Return a signed-data skeleton, all lengths indefinite, over an encoded OCTET STRING."""
    content = b"\x30\x80" + DATA + b"\xa0\x80" + octets + END * 2
    return b"\x30\x80" + SIGNED + b"\xa0\x80\x30\x80\x02\x01\x01\x31\x00" + content + b"\x31\x00" + END * 3


def test_chunks_become_one_octet_string():
    message = signed_data(b"\x24\x80" + tlv(4, b"ab") + b"\x24\x80" + tlv(4, b"c") + END + tlv(4, b"") + END)
    content = tlv(0x30, DATA, tlv(0xA0, tlv(4, b"abc")))
    fields = b"\x02\x01\x01\x31\x00" + content + b"\x31\x00"
    assert cms_to_der(message) == tlv(0x30, SIGNED, tlv(0xA0, tlv(0x30, fields)))


ENVELOPED, CERTIFICATE = bytes.fromhex("06092a864886f70d010703"), b"\x30\x80\x02\x01\x05" + END


def enveloped_data(before: bytes, encrypted_content: bytes) -> bytes:
    """Return an enveloped-data skeleton, all lengths indefinite."""
    info = b"\x30\x80" + DATA + tlv(0x30, DATA, tlv(4, b"iv")) + encrypted_content + END
    return b"\x30\x80" + ENVELOPED + b"\xa0\x80\x30\x80\x02\x01\x02" + before + info + END * 3


@pytest.mark.parametrize(
    ("written", "content"),
    [
        (tlv(0x80, b"abc"), b"abc"),
        (tlv(0xA0, tlv(4, b"ab"), tlv(4, b"c")), b"abc"),
        (b"\xa0\x80" + tlv(0x24, tlv(4, b"ab"), b"\x24\x80" + tlv(4, b"c") + END) + END, b"abc"),
        (b"\xa0\x80" + END, b""),
    ],
)
def test_an_encrypted_content_is_one_primitive_string(written, content):
    info = tlv(0x30, DATA, tlv(0x30, DATA, tlv(4, b"iv")), tlv(0x80, content))
    expected = tlv(0x30, ENVELOPED, tlv(0xA0, tlv(0x30, b"\x02\x01\x02", tlv(0x31), info)))
    assert cms_to_der(enveloped_data(b"\x31\x80" + END, written)) == expected


def test_what_signatures_cover_stays_as_it_came():
    originator = tlv(0xA0, tlv(0xA0, CERTIFICATE), tlv(0xA1, CERTIFICATE))
    written = originator[:1] + b"\x80" + b"\xa0\x80" + CERTIFICATE + END + tlv(0xA1, CERTIFICATE) + END
    assert originator in cms_to_der(enveloped_data(written + tlv(0x31), tlv(0x80, b"")))
    signed = signed_data(tlv(4, b"a"))
    end = signed.rindex(b"\x31\x00")
    assert tlv(0xA0, CERTIFICATE) in cms_to_der(signed[:end] + b"\xa0\x80" + CERTIFICATE + END + signed[end:])


def test_a_set_is_sorted_and_its_members_become_der():
    members = (b"\x30\x81\x03\x02\x01\x07", b"\x30\x80\x24\x80" + tlv(4, b"a") + tlv(4, b"b") + END * 2, tlv(0x30))
    written = cms_to_der(enveloped_data(b"\x31\x80" + b"".join(members) + END, tlv(0x80, b"")))
    assert tlv(0x31, tlv(0x30), tlv(0x30, tlv(2, b"\x07")), tlv(0x30, tlv(4, b"ab"))) in written


def test_der_stays_as_it_is():
    message = cms_to_der(signed_data(tlv(4, b"z" * 70_000)))
    assert cms_to_der(message) == message


def test_reading_takes_two_copies_of_a_message():
    message = signed_data(b"\x24\x80" + tlv(4, b"z" * 4096) * 2000 + END)
    tracemalloc.start()
    try:
        cms_to_der(message)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.2 * len(message)  # beside the message itself


def test_time_is_linear_in_the_number_of_chunks():
    def seconds(chunks):
        message = signed_data(b"\x24\x80" + tlv(4, b"z" * 10) * chunks + END)
        best = 9.0
        for _ in range(7):
            begun = time.process_time()
            cms_to_der(message)
            best = min(best, time.process_time() - begun)
        return best

    assert seconds(64_000) < 24 * seconds(8_000)  # 8 if linear, 64 if quadratic


def test_a_large_message_in_small_chunks_is_read():
    assert len(cms_to_der(signed_data(b"\x24\x80" + tlv(4, b"z" * 1000) * 60_000 + END))) > 60_000_000


def test_a_nested_chunk_bomb_costs_no_more_than_its_elements():
    deep = tlv(4, b"") * 150_000
    for _ in range(40):
        deep = b"\x24\x80" + deep + END
    begun = time.perf_counter()
    cms_to_der(signed_data(deep))
    assert time.perf_counter() - begun < 10


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"\x30",
        b"\x30\x80" * 20_000,
        b"\x30\x80" + SIGNED,
        b"\x30\x88" + b"\xff" * 8,
        b"\x30\xff" + b"\xff" * 127,
        b"\x30\x02" + b"\x1f\x00",
        b"\x30\x04\x04\x80\x00\x00",
        signed_data(b"\x24\x80" + tlv(2, b"a") + END),
        signed_data(b"\x24\x80" + tlv(4, b"") * (ber.MAX_ELEMENTS + 1) + END),
        signed_data(b"\x24\x80" * 70 + END * 70),
        signed_data(tlv(4, b"a")) + b"trailing",
        b"\x30\x05\x30\x80\x30\x01\x00\x00\x00",
        signed_data(tlv(0x0C, b"a")),
        signed_data(tlv(4, b"a") + tlv(4, b"b")),
        signed_data(b"\x04\x80" + END),
    ],
)
def test_hostile_input_is_refused(hostile):
    with pytest.raises(DecodingError):
        cms_to_der(hostile)


MESSAGE = signed_data(b"\x24\x80" + tlv(4, b"ab") * 3 + END)


@settings(deadline=None, max_examples=500)
@given(st.integers(0, len(MESSAGE) - 1), st.binary(max_size=6), st.integers(0, 12))
def test_mutations_are_read_or_refused(position, insertion, cut):
    try:
        read = cms_to_der(MESSAGE[:position] + insertion + MESSAGE[position + cut :])
    except DecodingError:
        return
    assert cms_to_der(read) is not None  # what was written is readable again
