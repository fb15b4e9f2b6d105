"""CompressedData: round trips, BER, limits, hostile input."""

import contextlib
import secrets
import tracemalloc
import zlib

import pytest
from asn1crypto import cms as asn1crypto_cms
from cryptography import x509
from cryptography.hazmat import asn1
from hypothesis import given, settings
from hypothesis import strategies as st
from support.envelopes import CONTENT

from sealwright.asn1.der import object_identifier
from sealwright.asn1.writer import tlv
from sealwright.cms import compressed, enveloped, schema, signed
from sealwright.cms.compressed import FREE_BYTES, MAX_RATIO, PIECE_BYTES, ZLIB_COMPRESS, Decompressor
from sealwright.errors import DecodingError, InputError


def message_of(stream, algorithm=None):
    """Return a CompressedData over any octets."""
    data = schema.CompressedData(
        version=0,
        compression_algorithm=algorithm or schema.algorithm(ZLIB_COMPRESS),
        encap_content_info=schema.EncapsulatedContentInfo(
            e_content_type=x509.ObjectIdentifier(schema.DATA), e_content=stream
        ),
    )
    return schema.content_info(schema.COMPRESSED_DATA, asn1.encode_der(data))


@pytest.mark.parametrize("content", [b"", CONTENT, CONTENT * 10_000, secrets.token_bytes(300_000)], ids=len)
def test_a_content_comes_back(content):
    message = compressed.compress(content)
    opened = compressed.decompress(message)
    assert (opened.content, opened.content_type) == (content, schema.DATA)
    read = asn1crypto_cms.ContentInfo.load(message)["content"]
    assert read["version"].native == "v0"
    assert read["compression_algorithm"]["algorithm"].native == "zlib"
    assert zlib.decompress(read["encap_content_info"]["content"].native) == content


def test_the_type_of_the_content_is_kept():
    assert compressed.decompress(compressed.compress(CONTENT, content_type=schema.SIGNED_DATA)).content_type == (
        schema.SIGNED_DATA
    )


@pytest.mark.parametrize("parameters", [b"", b"\x05\x00"])
def test_indefinite_lengths_and_chunks_are_read(parameters):
    end, stream = b"\0\0", zlib.compress(CONTENT)
    algorithm = tlv(0x30, object_identifier(ZLIB_COMPRESS), parameters)
    octets = b"\x24\x80" + b"".join(tlv(4, stream[start : start + 7]) for start in range(0, len(stream), 7)) + end
    content = b"\x30\x80" + object_identifier(schema.DATA) + b"\xa0\x80" + octets + end + end
    body = b"\x30\x80" + b"\x02\x01\x00" + algorithm + content + end
    message = b"\x30\x80" + object_identifier(schema.COMPRESSED_DATA) + b"\xa0\x80" + body + end + end
    assert compressed.decompress(message).content == CONTENT


STREAM = zlib.compress(CONTENT)


BROKEN = {
    "empty": b"",
    "no end": STREAM[:-1],
    "cut": STREAM[:10],
    "more": STREAM + b"\0",
    "twice": STREAM + STREAM,
    "checksum": STREAM[:-1] + b"\0",
    "other": b"x" + STREAM,
    "raw deflate": STREAM[2:],
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_not_one_whole_stream_is_refused(name):
    with pytest.raises(DecodingError):
        compressed.decompress(message_of(BROKEN[name]))


def test_other_algorithms_and_other_messages_are_refused():
    with pytest.raises(DecodingError, match="algorithm"):
        compressed.decompress(message_of(STREAM, schema.algorithm("1.2.3")))
    with pytest.raises(DecodingError, match="lost"):
        compressed.decompress(message_of(None))
    with pytest.raises(DecodingError, match="not encrypted"):
        enveloped.decrypt(message_of(STREAM), lambda _: [])
    with pytest.raises(DecodingError):
        signed.verify(message_of(STREAM), None)


def test_a_small_message_does_not_grow_without_end():
    """64 KiB of zlib hold 64 MiB of zeros; a mail may not make a reader hold them."""
    bomb = zlib.compress(bytes(64 * 1024 * 1024), 9)
    tracemalloc.start()
    try:
        with pytest.raises(DecodingError, match="limits"):
            for piece in Decompressor().update(bomb):
                assert len(piece) <= PIECE_BYTES
        assert tracemalloc.get_traced_memory()[1] < 10 * PIECE_BYTES
    finally:
        tracemalloc.stop()
    with pytest.raises(DecodingError, match="limits"):
        compressed.decompress(message_of(bomb))


def test_the_limits_are_of_size_and_of_proportion():
    small = zlib.compress(bytes(FREE_BYTES))  # a small content may be anything
    assert compressed.decompress(message_of(small)).content == bytes(FREE_BYTES)
    noise = secrets.token_bytes(PIECE_BYTES)
    fair = zlib.compress(noise + bytes(FREE_BYTES + (MAX_RATIO - 1) * PIECE_BYTES))
    assert len(b"".join(Decompressor().update(fair))) == FREE_BYTES + MAX_RATIO * PIECE_BYTES
    with pytest.raises(DecodingError, match="limits"):
        list(Decompressor(max_bytes=len(noise) - 1).update(zlib.compress(noise)))


def test_what_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(compressed, "MAX_CONTENT_BYTES", 100)
    with pytest.raises(InputError):
        compressed.compress(bytes(101))
    with pytest.raises(DecodingError):
        compressed.decompress(bytes(101))


def test_pieces_of_any_size_give_the_same():
    content = secrets.token_bytes(1000) * 3
    stream = zlib.compress(content)
    for size in (1, 7, 1000, len(stream)):
        decompressor = Decompressor()
        pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
        assert b"".join(piece for data in pieces for piece in decompressor.update(data)) == content
        decompressor.finalize()


MESSAGE = compressed.compress(CONTENT)


@settings(deadline=None, max_examples=300)
@given(st.integers(0, len(MESSAGE)), st.binary(max_size=6), st.integers(0, 12))
def test_mutations_raise_nothing_unexpected(position, insertion, cut):
    with contextlib.suppress(DecodingError):
        compressed.decompress(MESSAGE[:position] + insertion + MESSAGE[position + cut :])
