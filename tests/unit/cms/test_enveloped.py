"""EnvelopedData and AuthEnvelopedData: versions, mixed recipients, key look-up, authenticated attributes, hostile input."""

import contextlib
import secrets

import pytest
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from hypothesis import given, settings
from hypothesis import strategies as st
from support.certificates import ec_key, rsa_key, self_signed
from support.decryption import any_key, keys_of, no_keys
from support.envelopes import CONTENT, certificate_for, seal

from sealwright.asn1.der import content_of, elements, object_identifier
from sealwright.asn1.writer import tlv
from sealwright.cms import algorithms, enveloped, schema
from sealwright.cms.decryptors import PasswordDecryptor, PrivateKeyDecryptor
from sealwright.cms.recipient_schema import KeyTransRecipientInfo
from sealwright.cms.recipients import (
    MAX_RECIPIENTS,
    MAX_TRIED_KEYS,
    parse_recipient_infos,
    wrap_for_all,
    wrap_key,
    wrapped_keys,
)
from sealwright.errors import DecodingError, DecryptionError, InputError, VerificationError

RSA, EC, X25519, KEM = rsa_key(), ec_key(), x25519.X25519PrivateKey.generate(), mlkem.MLKEM768PrivateKey.generate()
PEOPLE = {
    "rsa": (self_signed(RSA, "alice"), RSA),
    "ec": (self_signed(EC, "bob"), EC),
    "x25519": (certificate_for(X25519.public_key(), "carol"), X25519),
    "kem": (certificate_for(KEM.public_key(), "dora"), KEM),
}
CERTIFICATES = [certificate for certificate, _ in PEOPLE.values()]
COMPRESSED_DATA = "1.2.840.113549.1.9.16.1.9"


@pytest.mark.parametrize("cipher", ["aes-256-cbc", "aes-128-gcm", "chacha20-poly1305"])
@pytest.mark.parametrize("derive_key", [False, True])
@pytest.mark.parametrize("name", PEOPLE)
def test_each_of_mixed_recipients_opens_the_message(name, cipher, derive_key):
    message = enveloped.encrypt(CONTENT, CERTIFICATES, cipher=cipher, derive_key=derive_key)
    opened = enveloped.decrypt(message, keys_of(PEOPLE[name]))
    assert opened.content == CONTENT
    assert opened.content_cipher == cipher
    assert opened.content_type == schema.DATA
    assert opened.authenticated is (cipher != "aes-256-cbc")
    assert opened.derived_key is derive_key
    assert opened.recipient.matches(PEOPLE[name][0])
    assert len(opened.recipients) == len(PEOPLE)
    for certificate in CERTIFICATES:
        assert sum(identifier.matches(certificate) for identifier in opened.recipients) == 1


@pytest.mark.parametrize(
    ("names", "version"), [(["rsa"], 0), (["ec"], 2), (["rsa", "ec"], 2), (["kem"], 3), (["rsa", "ec", "kem"], 3)]
)
def test_the_version_is_that_of_the_recipients(names, version):
    """RFC 5652 section 6.1: 0 with key transport by issuerAndSerialNumber only, 3 with OtherRecipientInfo, else 2."""
    certificates = [PEOPLE[name][0] for name in names]
    assert schema.load_content(enveloped.encrypt(CONTENT, certificates)).version == version
    authenticated = enveloped.encrypt(CONTENT, certificates, cipher="aes-256-gcm")
    assert schema.load_content(authenticated).version == 0  # RFC 5083 section 2.1: always


def test_every_key_with_a_colliding_identifier_is_tried():
    """RFC 8551 section 2.2: key identifiers may collide, and each matching certificate MUST be tried."""
    keys = [rsa_key() for _ in range(3)]
    certificates = [certificate_for(key.public_key(), key_identifier=b"the same") for key in keys]
    for key, certificate in zip(keys, certificates, strict=True):
        content_key = secrets.token_bytes(32)
        (info,) = parse_recipient_infos(wrap_key(content_key, certificate))
        assert isinstance(info, KeyTransRecipientInfo)
        by_key_identifier = KeyTransRecipientInfo(
            version=2,
            rid=b"the same",
            key_encryption_algorithm=info.key_encryption_algorithm,
            encrypted_key=info.encrypted_key,
        )
        message = seal([by_key_identifier], content_key)
        assert enveloped.decrypt(message, keys_of(*zip(certificates, keys, strict=True))).content == CONTENT
        assert enveloped.decrypt(message, any_key(EC, KEM, X25519, key)).content == CONTENT


def test_no_more_keys_are_tried_than_the_limit():
    message = enveloped.encrypt(CONTENT, [PEOPLE["ec"][0]], cipher="aes-256-gcm")
    wrong = [ec_key()] * (MAX_TRIED_KEYS - 1)
    assert enveloped.decrypt(message, any_key(*wrong, EC)).content == CONTENT
    with pytest.raises(DecryptionError):
        enveloped.decrypt(message, any_key(*wrong, wrong[0], EC))


def test_a_decryptor_may_be_anything_with_the_method():
    """A device key, an HSM or a service: the message's own code sees octets only."""

    class Remote:
        def __init__(self):
            self.asked = []

        def unwrap_key(self, wrapped):
            self.asked.append(wrapped)
            return PrivateKeyDecryptor(EC).unwrap_key(wrapped)

    remote = Remote()
    message = enveloped.encrypt(CONTENT, [PEOPLE["ec"][0]], cipher="aes-256-gcm")
    assert enveloped.decrypt(message, lambda _: [remote]).content == CONTENT
    assert [each.recipient.matches(PEOPLE["ec"][0]) for each in remote.asked] == [True]


def test_too_many_recipients_are_refused_in_both_directions():
    certificate = PEOPLE["ec"][0]
    for wrong in ([], [certificate] * (MAX_RECIPIENTS + 1)):
        with pytest.raises(InputError, match="recipients"):
            enveloped.encrypt(CONTENT, wrong)
    key = secrets.token_bytes(32)
    infos = parse_recipient_infos(wrap_key(key, certificate)) * (MAX_RECIPIENTS + 1)
    with pytest.raises(DecodingError, match="recipients"):
        enveloped.decrypt(seal(infos, key), no_keys)


def test_recipient_infos_are_parsed_apart_from_the_message():
    key = secrets.token_bytes(32)
    (encoded,) = wrap_for_all(key, CERTIFICATES[:1])
    (parsed,) = parse_recipient_infos(encoded)
    assert PrivateKeyDecryptor(RSA).unwrap_key(*wrapped_keys([parsed])) == key
    assert parse_recipient_infos(b"") == []
    for wrong in (b"\x30\x80", encoded[:-1], encoded + b"\0", b"\x05\x00"):
        with pytest.raises(DecodingError):
            parse_recipient_infos(wrong)


def with_infos(message, encoded):
    """Return a message of EnvelopedData with other octets inside its SET of RecipientInfos."""
    parsed = schema.load_content(message)
    info = parsed.encrypted_content_info
    content = tlv(
        0x30,
        object_identifier(info.content_type.dotted_string),
        schema.algorithm_der(info.content_encryption_algorithm),
        tlv(0x80, info.encrypted_content),
    )
    return schema.content_info(schema.ENVELOPED_DATA, tlv(0x30, b"\2\1\2", tlv(0x31, *encoded), content))


def split(encoded):
    """Return the elements of a constructed one."""
    return [tlv(*element) for element in elements(content_of(encoded[0], encoded))]


def infos_of(message):
    _, explicit = split(message)
    return split(split(split(explicit)[0])[1])


def test_recipients_in_any_order_are_read():
    """DER wants them sorted; many a program writes the sender last."""
    message = enveloped.encrypt(CONTENT, CERTIFICATES)
    infos = infos_of(message)
    assert with_infos(message, infos) != message  # the version
    for order in (infos, infos[::-1], infos[1:] + infos[:1]):
        for pair in PEOPLE.values():
            assert enveloped.decrypt(with_infos(message, order), keys_of(pair)).content == CONTENT


@pytest.mark.parametrize("oid", ["1.2.3", algorithms.KEM_RECIPIENT])
def test_another_recipients_unknown_or_malformed_info_does_no_harm(oid):
    message = enveloped.encrypt(CONTENT, [PEOPLE["rsa"][0]])
    unknown = tlv(0xA4, object_identifier(oid), tlv(0x30, b"\2\1\0"))
    assert enveloped.decrypt(with_infos(message, [*infos_of(message), unknown]), any_key(RSA)).content == CONTENT


def test_another_recipients_odd_name_does_no_harm():
    """An empty country, or a text that is none, is refused by parsers of names; here nobody has to read it."""
    message = enveloped.encrypt(CONTENT, [PEOPLE["rsa"][0]])
    (info,) = infos_of(message)
    odd_name = tlv(0x30, tlv(0x31, tlv(0x30, object_identifier("2.5.4.6"), tlv(0x0C, b"\xff\xfe\xfd"))))
    fields = split(info)
    odd = tlv(0x30, fields[0], tlv(0x30, odd_name, b"\2\1\1"), *fields[2:])
    opened = enveloped.decrypt(with_infos(message, [odd, info]), keys_of(PEOPLE["rsa"]))
    assert opened.content == CONTENT
    assert odd_name in [each.issuer_der for each in opened.recipients]


def attribute(oid, value):
    return tlv(0x30, object_identifier(oid), tlv(0x31, value))


def sealed_with(attributes, content_type=schema.DATA):
    key = secrets.token_bytes(32)
    infos = parse_recipient_infos(wrap_key(key, PEOPLE["ec"][0]))
    return seal(infos, key, content_type=content_type, attributes=attributes)


TYPE_DATA = attribute(algorithms.CONTENT_TYPE, object_identifier(schema.DATA))
TYPE_COMPRESSED = attribute(algorithms.CONTENT_TYPE, object_identifier(COMPRESSED_DATA))
OTHER = attribute("1.2.840.113549.1.9.5", tlv(0x17, b"261101000000Z"))


@pytest.mark.parametrize("attributes", [[OTHER], [TYPE_DATA], [TYPE_DATA, OTHER]], ids=["other", "type", "both"])
def test_authenticated_attributes_are_covered_by_the_tag(attributes):
    """RFC 5083 section 2.2: as a SET OF, whatever tag they have in the message."""
    message = sealed_with(attributes)
    assert enveloped.decrypt(message, any_key(EC)).content == CONTENT
    changed = message.replace(object_identifier("1.2.840.113549.1.9.5"), object_identifier("1.2.840.113549.1.9.6"))
    if OTHER in attributes:
        with pytest.raises(DecryptionError):
            enveloped.decrypt(changed, any_key(EC))


def test_another_type_of_content_is_authenticated():
    """RFC 5083 section 2.1: authAttrs MUST be there if the content type is not id-data."""
    message = enveloped.encrypt(CONTENT, [PEOPLE["ec"][0]], cipher="aes-256-gcm", content_type=COMPRESSED_DATA)
    opened = enveloped.decrypt(message, any_key(EC))
    assert (opened.content, opened.content_type) == (CONTENT, COMPRESSED_DATA)
    assert enveloped.decrypt(sealed_with([TYPE_COMPRESSED], COMPRESSED_DATA), any_key(EC)).content == CONTENT
    for attributes, content_type in (
        (None, COMPRESSED_DATA),
        ([OTHER], COMPRESSED_DATA),
        ([TYPE_DATA], COMPRESSED_DATA),
        ([TYPE_COMPRESSED], schema.DATA),
        ([TYPE_DATA, TYPE_DATA], schema.DATA),
        ([TYPE_DATA] + [OTHER] * enveloped.MAX_ATTRIBUTES, schema.DATA),
        ([tlv(0x30, b"")], schema.DATA),
    ):
        with pytest.raises(DecodingError):
            enveloped.decrypt(sealed_with(attributes, content_type), any_key(EC))


def as_enveloped(message):
    """Return a message of AuthEnvelopedData as EnvelopedData with AES-CBC over the same ciphertext (a downgrade)."""
    authenticated = schema.load_content(message)
    info = authenticated.auth_encrypted_content_info
    downgraded = schema.EnvelopedData(
        version=2,
        originator_info=None,
        recipient_infos=authenticated.recipient_infos,
        encrypted_content_info=schema.EncryptedContentInfo(
            content_type=info.content_type,
            content_encryption_algorithm=schema.algorithm(algorithms.AES256_CBC, tlv(0x04, bytes(16))),
            encrypted_content=info.encrypted_content[: len(info.encrypted_content) // 16 * 16],
        ),
        unprotected_attrs=None,
    )
    return schema.content_info(schema.ENVELOPED_DATA, asn1.encode_der(downgraded))


def test_a_downgraded_message_is_never_authenticated():
    message = enveloped.encrypt(CONTENT * 100, [PEOPLE["ec"][0]], cipher="aes-256-gcm")
    with contextlib.suppress(DecryptionError):  # once in 256 times the padding looks right
        opened = enveloped.decrypt(as_enveloped(message), any_key(EC))
        assert opened.authenticated is False
        assert opened.content != CONTENT * 100


def test_without_content_there_is_nothing_to_open():
    message = schema.load_content(enveloped.encrypt(CONTENT, [PEOPLE["ec"][0]]))
    info = message.encrypted_content_info
    empty = schema.EnvelopedData(
        version=2,
        originator_info=None,
        recipient_infos=message.recipient_infos,
        encrypted_content_info=schema.EncryptedContentInfo(
            content_type=info.content_type,
            content_encryption_algorithm=info.content_encryption_algorithm,
            encrypted_content=None,
        ),
        unprotected_attrs=None,
    )
    with pytest.raises(DecodingError):
        enveloped.decrypt(schema.content_info(schema.ENVELOPED_DATA, asn1.encode_der(empty)), any_key(EC))


MIXED = {
    cipher: enveloped.encrypt(CONTENT, CERTIFICATES[1:], cipher=cipher)
    for cipher in ("aes-256-cbc", "chacha20-poly1305")
}


def everything(_):
    return [*(PrivateKeyDecryptor(key) for _, key in list(PEOPLE.values())[1:]), PasswordDecryptor(b"secret")]


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted(MIXED)), st.floats(0, 1), st.binary(max_size=6), st.integers(0, 12))
def test_mutations_raise_nothing_unexpected(cipher, place, insertion, cut):
    message = MIXED[cipher]
    position = int(place * len(message))
    mutated = message[:position] + insertion + message[position + cut :]
    with contextlib.suppress(DecodingError, VerificationError):
        opened = enveloped.decrypt(mutated, everything, allow_legacy=True)
        assert opened.content == CONTENT or not opened.authenticated
