"""What is signed is verified, by every algorithm, by several signers, and octet by octet."""

import contextlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from support.certificates import NOW, ec_key, rsa_key, self_signed
from support.forged import Forged, oid, typical

from sealwright.asn1.der import content_of
from sealwright.cms import schema, signed
from sealwright.cms.digests import SHA256, SHA512, ContentDigests
from sealwright.cms.examining import examine_signers
from sealwright.cms.known_certificates import parse_certificates
from sealwright.cms.signed_data import announced_digests
from sealwright.cms.signer_info import make_signer_info, parse_signer_info
from sealwright.cms.signers import PrivateKeySigner
from sealwright.errors import DecodingError, InputError, InvalidSignatureError, UnsupportedAlgorithmError

CONTENT = b"Content-Type: text/plain\r\n\r\nfor Bob alone\r\n"
EC, RSA = ec_key(), rsa_key()
ALICE = PrivateKeySigner(self_signed(EC, "alice"), EC)
BOB = PrivateKeySigner(self_signed(RSA, "bob"), RSA)

KEYS = {
    "rsa": (RSA, {}, "rsa-sha256", "sha256", "sha-256"),
    "rsa sha512": (RSA, {"digest": "sha512"}, "rsa-sha512", "sha512", "sha-512"),
    "rsa pss": (RSA, {"rsa_padding": "pss"}, "rsa-pss-sha256", "sha256", "sha-256"),
    "rsa pss sha384": (RSA, {"rsa_padding": "pss", "digest": "sha384"}, "rsa-pss-sha384", "sha384", "sha-384"),
    "p256": (EC, {}, "ecdsa-sha256", "sha256", "sha-256"),
    "p384": (ec.generate_private_key(ec.SECP384R1()), {}, "ecdsa-sha384", "sha384", "sha-384"),
    "p521": (ec.generate_private_key(ec.SECP521R1()), {}, "ecdsa-sha512", "sha512", "sha-512"),
    "p521 sha256": (ec.generate_private_key(ec.SECP521R1()), {"digest": "sha256"}, "ecdsa-sha256", "sha256", "sha-256"),
    "ed25519": (ed25519.Ed25519PrivateKey.generate(), {}, "ed25519", "sha512", "sha-512"),
    "ed448": (ed448.Ed448PrivateKey.generate(), {}, "ed448", "shake256-len", "shake256-512"),
    "ml-dsa-44": (mldsa.MLDSA44PrivateKey.generate(), {}, "ml-dsa-44", "sha512", "sha-512"),
    "ml-dsa-65": (mldsa.MLDSA65PrivateKey.generate(), {}, "ml-dsa-65", "sha512", "sha-512"),
    "ml-dsa-87": (mldsa.MLDSA87PrivateKey.generate(), {}, "ml-dsa-87", "sha512", "sha-512"),
}


@pytest.mark.parametrize("detached", [True, False])
@pytest.mark.parametrize("kind", KEYS)
def test_a_signature_holds_for_its_content_only(kind, detached):
    key, options, signature_algorithm, digest, micalg = KEYS[kind]
    signer = PrivateKeySigner(self_signed(key, "alice"), key, **options)
    assert signer.algorithm.micalg == micalg
    message = signed.sign(CONTENT, [signer], detached=detached, signing_time=NOW)
    verified = signed.verify(message, CONTENT if detached else None)
    assert verified.content == CONTENT
    (report,) = verified.signers
    assert report.certificate == signer.certificate
    assert (report.signature_algorithm, report.digest) == (signature_algorithm, digest)
    assert (report.signing_time, report.weaknesses, report.problem) == (NOW, (), "")
    if detached:
        changed = signed.examine(message, CONTENT + b"!")
    else:
        changed = signed.examine(message.replace(b"for Bob alone", b"for Eve alone"), None)
        with pytest.raises(DecodingError):  # RFC 5652: detached content beside an embedded one is a confusion attack
            signed.verify(message, CONTENT)
    assert [(each.is_intact, each.problem) for each in changed.signers] == [(False, "content-changed")]


@pytest.mark.parametrize(
    ("key", "options"),
    [
        (rsa.generate_private_key(65537, 1024), {}),  # RFC 8551 section 4.2: MUST NOT generate below 2,048 bits
        (RSA, {"digest": "sha1"}),
        (RSA, {"digest": "md5"}),
        (EC, {"digest": "sha1"}),
        (ec.generate_private_key(ec.SECP256K1()), {}),
        (ed25519.Ed25519PrivateKey.generate(), {"digest": "sha256"}),  # RFC 8419 section 2.3: MUST be SHA-512
        (x25519.X25519PrivateKey.generate(), {}),
    ],
)
def test_weak_and_foreign_keys_sign_nothing(key, options):
    with pytest.raises(UnsupportedAlgorithmError):
        PrivateKeySigner(ALICE.certificate, key, **options)


def test_a_key_of_another_certificate_and_nobody_sign_nothing():
    with pytest.raises(InputError):
        PrivateKeySigner(ALICE.certificate, ec_key())
    with pytest.raises(InputError):
        PrivateKeySigner(ALICE.certificate, RSA)
    with pytest.raises(InputError):
        signed.sign(CONTENT, [], detached=False, signing_time=NOW)


def test_each_signer_is_judged_by_itself():
    message = signed.sign(CONTENT, [ALICE, BOB], detached=True, signing_time=NOW)
    verified = signed.verify(message, CONTENT)
    assert {report.certificate for report in verified.signers} == {ALICE.certificate, BOB.certificate}
    position = message.rindex(ALICE.certificate.issuer.public_bytes())
    broken = bytearray(message)
    broken[position + len(ALICE.certificate.issuer.public_bytes()) + 6] ^= 1  # in the serial number of one SignerInfo
    reports = signed.examine(bytes(broken), CONTENT).signers
    assert sorted((report.is_intact, report.problem) for report in reports) == [
        (False, "certificate-missing"),
        (True, ""),
    ]
    with pytest.raises(InvalidSignatureError):  # all or nothing
        signed.verify(bytes(broken), CONTENT)


def test_nobody_signed_is_not_valid():
    # RFC 5652 section 5.1 allows zero SignerInfos; that says nothing about the content.
    degenerate = signed.certificates_only([ALICE.certificate])
    assert signed.examine(degenerate, CONTENT).signers == ()
    with pytest.raises(InvalidSignatureError):
        signed.verify(degenerate, CONTENT)


def test_certificates_and_lists_travel_without_a_signature():
    crl = (
        x509.CertificateRevocationListBuilder(ALICE.certificate.subject, NOW, NOW)
        .sign(EC, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )
    read = signed.read_certificates_only(signed.certificates_only([ALICE.certificate, BOB.certificate], [crl]))
    assert set(read.certificates) == {ALICE.certificate, BOB.certificate}
    assert (read.crls, read.signers, read.content) == ((crl,), (), b"")
    with_list = signed.sign(CONTENT, [ALICE], detached=True, signing_time=NOW, crls=[crl])
    assert signed.verify(with_list, CONTENT).crls == (crl,)
    with pytest.raises(DecodingError):  # what is signed is verified, not mined for certificates
        signed.read_certificates_only(with_list)


def test_a_certificate_may_come_from_outside():
    message = Forged(ALICE, CONTENT, typical(CONTENT), certificates=[]).message()
    assert signed.examine(message, None).signers[0].problem == "certificate-missing"
    verified = signed.verify(message, None, certificates=[BOB.certificate, ALICE.certificate])
    assert verified.signers[0].certificate == ALICE.certificate
    assert verified.certificates == ()  # it did not come with the message


def test_every_octet_of_a_signed_message_counts():
    message = signed.sign(CONTENT, [ALICE], detached=False, signing_time=NOW)
    unprotected = 0
    for position in range(len(message)):
        broken = message[:position] + bytes([message[position] ^ 4]) + message[position + 1 :]
        try:
            verified = signed.verify(broken, None)
        except (InvalidSignatureError, DecodingError):
            continue
        assert verified.content == CONTENT
        unprotected += 1
    assert unprotected < 20  # the outer version and digest list, which RFC 5652 does not sign


def test_a_content_that_passes_by_is_signed_and_judged_by_its_digests():
    digests = ContentDigests(announced_digests([SHA256.identifier_der, SHA512.identifier_der, b"\x30\x00"]))
    for start in range(0, len(CONTENT), 7):
        digests.update(CONTENT[start : start + 7])
    content_type = oid(schema.DATA)
    message_digest = digests.digest(SHA256)
    assert message_digest == SHA256.of(CONTENT)
    info = make_signer_info(
        ALICE, content_type=content_type, message_digest=message_digest, signing_time=NOW, others=()
    )
    parsed = parse_signer_info(0x30, content_of(0x30, info))
    certificates = parse_certificates([ALICE.certificate.public_bytes(Encoding.DER)])
    for content in (digests, CONTENT):
        (report,) = examine_signers([parsed], content, schema.DATA, certificates)
        assert report.is_intact
    (report,) = examine_signers([parsed], ContentDigests([SHA512]), schema.DATA, certificates)
    assert report.problem == "algorithm-mismatch"  # the header announced other digests than the signature uses


SIGNED = signed.sign(CONTENT, [ALICE], detached=False, signing_time=NOW)


@settings(deadline=None, max_examples=500)
@given(st.integers(0, len(SIGNED) - 1), st.binary(max_size=6), st.integers(0, 12))
def test_a_mutated_signed_message_is_refused_or_says_the_same(position, insertion, cut):
    with contextlib.suppress(DecodingError, InvalidSignatureError):
        assert signed.verify(SIGNED[:position] + insertion + SIGNED[position + cut :], None).content == CONTENT


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=400))
def test_arbitrary_octets_are_refused_with_one_error(data):
    with pytest.raises(DecodingError):
        signed.examine(data, None)
    with pytest.raises(DecodingError):
        signed.read_certificates_only(data)
