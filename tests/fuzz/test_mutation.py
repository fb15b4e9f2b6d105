"""Every octet of an authenticated message is changed, one at a time: it is refused, or nothing that counts has changed.

What is *not* authenticated by design is named here, too, and what must hold all the same. The functions for whole messages and
those for streams must agree on every one of these messages.
"""

import io
from collections.abc import Iterator
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa
from support.certificates import NOW, self_signed
from support.decryption import any_key
from support.envelopes import certificate_for
from support.forged import Forged, attribute, typical
from support.mail_people import MailRoot
from support.smime_layers import FROM_ALICE, TEXT, encrypted, signed_clear, signed_opaque, with_header

from sealwright.asn1.writer import tlv
from sealwright.cms import enveloped, schema, signed
from sealwright.cms.encrypted_stream import decrypt_stream
from sealwright.cms.recipients import wrapped_keys
from sealwright.cms.signed_stream import examine_stream
from sealwright.cms.signer_report import SignerReport
from sealwright.cms.signers import PrivateKeySigner
from sealwright.errors import DecodingError, DecryptionError
from sealwright.smime.verdict import judge_message

CONTENT = b"Content-Type: text/plain\r\n\r\nPay 10 to Bob.\r\n"
KEY = ec.generate_private_key(ec.SECP256R1())
CERTIFICATE = certificate_for(KEY.public_key())
MASKS = (0x01, 0x80)
AUTHENTICATED = ("aes-128-gcm", "aes-192-gcm", "aes-256-gcm", "chacha20-poly1305")
SIGNERS = {
    "rsa": (rsa.generate_private_key(65537, 2048), {}),
    "rsa-pss": (rsa.generate_private_key(65537, 2048), {"rsa_padding": "pss"}),
    "p256": (KEY, {}),
    "p384": (ec.generate_private_key(ec.SECP384R1()), {}),
    "ed25519": (ed25519.Ed25519PrivateKey.generate(), {}),
    "ed448": (ed448.Ed448PrivateKey.generate(), {}),
    "ml-dsa-44": (mldsa.MLDSA44PrivateKey.generate(), {}),
}


def changed(message: bytes, start: int = 0, end: int | None = None, most: int = 1500) -> Iterator[tuple[int, bytes]]:
    """Change octets of a part, evenly spread if there are more than `most`."""
    end = len(message) if end is None else end
    for position in range(start, end, max(1, (end - start) // most)):
        for mask in MASKS:
            yield position, message[:position] + bytes([message[position] ^ mask]) + message[position + 1 :]


def decrypted(message: bytes) -> list[tuple[bytes, bool]]:
    """Decrypt in memory and as a stream; content and whether it is authenticated, of each that does not refuse."""
    found, sink = [], io.BytesIO()
    with suppress(DecodingError, DecryptionError):
        whole = enveloped.decrypt(message, any_key(KEY))
        found.append((whole.content, whole.authenticated))
    with suppress(DecodingError, DecryptionError):
        streamed = decrypt_stream(io.BytesIO(message), sink, any_key(KEY))
        found.append((sink.getvalue(), streamed.authenticated))
    return found


def encrypted_key_of(message: bytes) -> bytes:
    return wrapped_keys(schema.load_content(message).recipient_infos.as_list())[0].encrypted_key


@pytest.mark.parametrize("cipher", AUTHENTICATED)
def test_authenticated_encryption_opens_unchanged_or_not_at_all(cipher):
    message = enveloped.encrypt(CONTENT, [CERTIFICATE], cipher=cipher)
    assert decrypted(message) == [(CONTENT, True)] * 2
    info = schema.load_content(message).auth_encrypted_content_info
    # Not authenticated: version numbers and how the recipient is named, which any key answers to here.
    encrypted_key = message.index(encrypted_key_of(message)) - 2  # with its tag and length
    for position, other in changed(message):
        found = decrypted(other)
        assert all(each == (CONTENT, True) for each in found)
        assert not found or position < encrypted_key, "content, its type, algorithm, nonce, tag or key were changed"
    assert encrypted_key < message.index(info.encrypted_content)


def test_cbc_promises_no_integrity_and_says_so():
    message = enveloped.encrypt(CONTENT, [CERTIFICATE], cipher="aes-256-cbc")
    assert decrypted(message) == [(CONTENT, False)] * 2
    opened = [each for _, other in changed(message) for each in decrypted(other)]
    assert any(content != CONTENT for content, _ in opened)
    assert not any(authenticated for _, authenticated in opened)
    # Key, initialization vector, content and padding; of a changed algorithm the message itself tells everybody.
    info = schema.load_content(message).encrypted_content_info
    parts = [(message.index(encrypted_key_of(message)), 40), (message.index(info.encrypted_content), 48)]
    refusals = {
        str(error)
        for start, length in parts
        for _, other in changed(message, start, start + length)
        if (error := _refusal(other)) is not None
    }
    assert len(refusals) == 1, "whether padding, key or anything else is wrong is never told"


def _refusal(message: bytes) -> DecryptionError | None:
    try:
        enveloped.decrypt(message, any_key(KEY))
    except DecryptionError as error:
        return error
    except DecodingError:
        return None
    return None


def examined(message: bytes, content: bytes | None, certificate) -> list[tuple[bytes, SignerReport]]:
    """Examine in memory and, if the content is inside, as a stream; content and report of each signature that holds."""
    found, sink = [], io.BytesIO()
    with suppress(DecodingError):
        whole = signed.examine(message, content, certificates=[certificate])
        found += [(whole.content, signer) for signer in whole.signers]
    if content is None:
        with suppress(DecodingError):
            streamed = examine_stream(io.BytesIO(message), sink, certificates=[certificate])
            found += [(sink.getvalue(), signer) for signer in streamed.signers]
    return [(content, signer) for content, signer in found if signer.is_intact]


@pytest.mark.parametrize("detached", [False, True])
@pytest.mark.parametrize("name", SIGNERS)
def test_a_signature_holds_over_what_was_signed_or_not_at_all(name, detached):
    key, options = SIGNERS[name]
    certificate = certificate_for(key.public_key()) if name not in ("rsa", "p256") else self_signed(key, "alice")
    message = signed.sign(CONTENT, [PrivateKeySigner(certificate, key, **options)], detached=detached, signing_time=NOW)
    content = CONTENT if detached else None
    good = examined(message, content, certificate)
    assert len(good) == (1 if detached else 2)
    # Not authenticated: version numbers, the digests that are announced, and the bag of certificates, from which a
    # signer's own is taken as it was, or found elsewhere.
    signer_info = message.rindex(certificate.issuer.public_bytes())
    e_content = message.index(CONTENT) if not detached else len(message)
    for position, other in changed(message, most=400):
        found = examined(other, content, certificate)
        assert all(each in good for each in found)
        assert not found or position < signer_info
        assert not found or not e_content <= position < e_content + len(CONTENT)
    if detached:
        assert not any(
            signer.is_intact for _, other in changed(CONTENT) for signer in signed.examine(message, other).signers
        )


def test_unsigned_attributes_change_nothing_about_the_signature():
    signer = PrivateKeySigner(self_signed(KEY, "alice"), KEY)
    unsigned = attribute("1.3.6.1.4.1.99999.1", tlv(0x04, b"anything"))
    message = Forged(signer, CONTENT, typical(CONTENT), unsigned=unsigned).message()
    good = examined(message, None, signer.certificate)
    start = message.index(b"anything")
    for _, other in changed(message, start, start + 8):
        assert examined(other, None, signer.certificate) == good


ROOT = MailRoot()
ALICE, BOB = ROOT.person("alice"), ROOT.person("bob")
AUTHOR = "alice@example.test"
PROTECTED = with_header(TEXT, FROM_ALICE, protection="cipher")
MAILS = {
    "clear": FROM_ALICE + signed_clear(with_header(TEXT, FROM_ALICE, protection="clear"), ALICE),
    "opaque": FROM_ALICE + signed_opaque(PROTECTED, ALICE),
    "gcm": FROM_ALICE + encrypted(signed_opaque(PROTECTED, ALICE), BOB),
    "cbc": FROM_ALICE + encrypted(signed_opaque(PROTECTED, ALICE), BOB, authenticated=False),
    "clear-in-gcm": FROM_ALICE + encrypted(signed_clear(PROTECTED, ALICE), BOB),
}


@pytest.mark.parametrize("name", MAILS)
def test_a_mail_has_its_author_with_its_own_words_or_none(name):
    mail = MAILS[name]
    good = judge_message(mail, BOB.find_keys, ROOT.trust())
    assert good.summary.authentic_author == AUTHOR
    lost = 0
    for _, other in changed(mail, most=350):
        try:
            found = judge_message(other, BOB.find_keys, ROOT.trust())
        except DecodingError:
            continue
        if found.summary.authentic_author is None:
            lost += 1
            continue
        shown = (found.summary.authentic_author, found.body_text, found.headers.subject, found.attachments)
        assert shown == (AUTHOR, good.body_text, good.headers.subject, good.attachments)
    assert lost > 100
