"""Signed files of any size: the same bytes and the same judgement as in memory."""

import io

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from support.certificates import NOW, ec_key, rsa_key, self_signed

from sealwright.asn1.der import content_of, elements
from sealwright.asn1.pull_reader import PIECE_BYTES
from sealwright.asn1.writer import tlv
from sealwright.cms import signed, signed_stream
from sealwright.cms.signed_stream import examine_detached_stream, examine_stream, sign_stream
from sealwright.cms.signers import PrivateKeySigner
from sealwright.errors import DecodingError, InputError

KEYS = {"alice": ec_key(), "bob": rsa_key(), "dana": ed25519.Ed25519PrivateKey.generate()}
SIGNERS = {name: PrivateKeySigner(self_signed(key, name), key) for name, key in KEYS.items()}
BOTH = [SIGNERS["bob"], SIGNERS["dana"]]
SIZES = [0, 1, 1000, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES]


def stream_signed(content, signers, *, detached=False):
    sink = io.BytesIO()
    sign_stream(io.BytesIO(content), sink, signers, detached=detached, signing_time=NOW)
    return sink.getvalue()


def examined(message, **options):
    sink = io.BytesIO()
    return examine_stream(io.BytesIO(message), sink, **options), sink.getvalue()


@pytest.mark.parametrize("size", SIZES)
def test_a_file_is_signed_and_examined(size):
    content = b"0123456789abcdef" * (size // 16 + 1)
    message = stream_signed(content[:size], list(SIGNERS.values()))
    found, seen = examined(message)
    assert seen == content[:size]
    assert [each.is_intact for each in found.signers] == [True] * 3
    assert signed.verify(message, None).content == seen


@pytest.mark.parametrize("detached", [True, False])
def test_it_is_what_is_written_in_memory(detached):
    # RSA v1.5 and Ed25519 are deterministic
    content = b"for Bob alone"
    assert stream_signed(content, BOTH, detached=detached) == signed.sign(
        content, BOTH, detached=detached, signing_time=NOW
    )


def test_a_detached_signature_is_examined_beside_its_file():
    content = b"x" * (PIECE_BYTES + 3)
    signature = stream_signed(content, BOTH, detached=True)
    assert len(signature) < 6000
    good = examine_detached_stream(signature, io.BytesIO(content))
    bad = examine_detached_stream(signature, io.BytesIO(content[:-1]))
    assert [each.is_intact for each in good.signers] == [True, True]
    assert [each.is_intact for each in bad.signers] == [False, False]


def test_content_inside_and_beside_is_refused():
    # CVE-2018-18509: the one that is shown would not be the one that was signed
    with pytest.raises(DecodingError, match="twice"):
        examine_detached_stream(stream_signed(b"one", BOTH), io.BytesIO(b"another"))
    with pytest.raises(DecodingError, match="missing"):
        examined(stream_signed(b"one", BOTH, detached=True))


def test_a_certificate_may_come_from_elsewhere():
    content = b"for Bob alone"
    message = stream_signed(content, [SIGNERS["bob"]])
    (oid, (_, wrapped)) = elements(content_of(0x30, message))
    fields = [tlv(*each) for each in elements(content_of(0x30, wrapped)) if each[0] != 0xA0]
    without = tlv(0x30, tlv(*oid), tlv(0xA0, tlv(0x30, *fields)))
    certificate = SIGNERS["bob"].certificate
    assert [each.is_intact for each in examined(without)[0].signers] == [False]
    found, _ = examined(without, certificates=[certificate])
    assert (found.signers[0].is_intact, found.signers[0].certificate) == (True, certificate)


def test_no_changed_octet_of_the_content_keeps_a_signature():
    content = b"for Bob alone"
    message = stream_signed(content, BOTH)
    start = message.index(content)
    for place in range(start, start + len(content)):
        changed = bytearray(message)
        changed[place] ^= 0x40
        found, _ = examined(bytes(changed))
        assert not any(each.is_intact for each in found.signers)


def test_the_same_judgement_as_in_memory_for_every_changed_octet():
    content = b"for Bob alone"
    message = stream_signed(content, [SIGNERS["alice"]])
    for place in range(len(message)):
        changed = bytearray(message)
        changed[place] ^= 1
        outcomes = []
        for examine in (lambda m: examined(m)[0].signers, lambda m: signed.examine(m, None).signers):
            try:
                outcomes.append([each.is_intact for each in examine(bytes(changed))])
            except DecodingError:
                outcomes.append("refused")
        streamed, whole = outcomes
        # In memory the digests that are announced are not needed; a file is digested by these alone.
        assert streamed == whole or streamed in ("refused", [False]), f"octet {place}: {outcomes}"


def test_nobody_or_a_file_that_goes_on_is_refused():
    with pytest.raises(InputError):
        stream_signed(b"x", [])
    with pytest.raises(DecodingError):
        examined(stream_signed(b"x", BOTH) + b"\0")


def test_certificates_are_bounded_together(monkeypatch):
    message = stream_signed(b"content", BOTH)
    certificates = [each.certificate.public_bytes(Encoding.DER) for each in BOTH]
    monkeypatch.setattr(signed_stream, "MAX_SET_BYTES", sum(map(len, certificates)))
    assert [each.is_intact for each in examined(message)[0].signers] == [True, True]
    monkeypatch.setattr(signed_stream, "MAX_SET_BYTES", sum(map(len, certificates)) - 1)
    with pytest.raises(DecodingError, match="too large"):
        examined(message)


def test_a_file_that_changes_while_it_is_signed_is_noticed():
    class Changing(io.BytesIO):
        readings = 0

        def seek(self, offset, whence=0):
            if (offset, whence) == (0, 0):
                self.readings += 1
                if self.readings == 2:
                    self.getbuffer()[:1] = b"Y"
            return super().seek(offset, whence)

    with pytest.raises(InputError, match="changed"):
        sign_stream(Changing(b"x" * 100), io.BytesIO(), BOTH, detached=False, signing_time=NOW)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_hostile_files_raise_nothing_else(data):
    message = bytearray(stream_signed(b"for Bob alone", BOTH))
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    try:
        examined(bytes(message))
    except DecodingError:
        return
