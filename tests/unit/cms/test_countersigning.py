"""Countersignatures that are written: judged, kept beside others and timestamps, and no harm to the signature below."""

import dataclasses

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from support.certificates import NOW, ec_key, rsa_key, self_signed
from support.judged import ALICE, BOB, CONTENT

from sealwright.cms import signed
from sealwright.cms.countersigning import countersign
from sealwright.cms.signers import PrivateKeySigner
from sealwright.cms.unsigned_attributes import add_unsigned_attribute
from sealwright.errors import DecodingError, InputError

RSA = rsa_key()
CAROL = PrivateKeySigner(self_signed(RSA, "carol"), RSA, chain=[self_signed(ec_key(), "intermediate")])


def message(*signers, detached=False):
    return signed.sign(CONTENT, signers or [ALICE], detached=detached, signing_time=NOW)


def signers_of(content_info, content=None):
    return signed.verify(content_info, content).signers


@pytest.mark.parametrize("detached", [False, True])
@pytest.mark.parametrize("by", [BOB, CAROL])
def test_a_countersignature_holds_and_leaves_the_signature_as_it_was(by, detached):
    plain = message(detached=detached)
    content = CONTENT if detached else None
    before = signers_of(plain, content)[0]
    both = countersign(plain, before.signature, by, signing_time=NOW)
    after = signed.verify(both, content)
    (over,) = after.signers[0].countersignatures
    assert dataclasses.replace(after.signers[0], countersignatures=()) == before
    assert (over.is_intact, over.certificate, over.signing_time) == (True, by.certificate, NOW)
    assert {by.certificate, *by.chain, ALICE.certificate} == set(after.certificates)


def test_every_further_signature_keeps_those_that_are_there():
    both = message(ALICE, BOB)
    first, second = (each.signature for each in signers_of(both))
    both = countersign(both, first, CAROL, signing_time=NOW)
    both = add_unsigned_attribute(both, first, b"\x06\x03\x2a\x03\x04", b"\x05\x00")
    both = countersign(both, first, BOB, signing_time=NOW)
    both = countersign(both, second, CAROL, signing_time=NOW)
    by_signature = {each.signature: each for each in signers_of(both)}
    assert {each.certificate for each in by_signature[first].countersignatures} == {
        CAROL.certificate,
        BOB.certificate,
    }
    assert [each.certificate for each in by_signature[second].countersignatures] == [CAROL.certificate]
    assert all(each.is_intact for signer in by_signature.values() for each in signer.countersignatures)
    assert b"\x06\x03\x2a\x03\x04\x31\x02\x05\x00" in both


def test_it_is_over_this_signature_and_no_other():
    both = message(ALICE, BOB)
    first, second = (each.signature for each in signers_of(both))
    moved = countersign(both, first, CAROL, signing_time=NOW).replace(first, b"?" * len(first))
    with pytest.raises(InputError, match="does not hold this signature"):
        countersign(moved, first, CAROL, signing_time=NOW)
    elsewhere = countersign(both, second, CAROL, signing_time=NOW)
    assert not next(each for each in signers_of(elsewhere) if each.signature == first).countersignatures


def test_certificates_of_the_message_are_not_doubled():
    plain = message(ALICE, BOB)
    first = signers_of(plain)[0].signature
    both = countersign(plain, first, BOB, signing_time=NOW)
    assert both.count(BOB.certificate.public_bytes(Encoding.DER)) == 1


def test_what_is_not_signed_cannot_be_countersigned():
    with pytest.raises(DecodingError):
        countersign(b"\x30\x00", b"", BOB, signing_time=NOW)
