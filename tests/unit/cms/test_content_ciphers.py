"""Content ciphers: against the library's whole-message functions and the RFCs' values; what is refused."""

import itertools
import secrets

import pytest
from cryptography.hazmat import asn1
from cryptography.hazmat.decrepit.ciphers.algorithms import RC2, TripleDES
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305

from sealwright.cms import algorithms, cipher_streams, schema
from sealwright.cms.content_ciphers import ContentCipher, new_cipher, read_cipher
from sealwright.cms.recipient_schema import AEADParameters, RC2CBCParameter
from sealwright.errors import DecodingError, DecryptionError

WRITTEN = [
    *(f"aes-{bits}-{mode}" for bits in (128, 192, 256) for mode in ("cbc", "gcm")),
    "chacha20-poly1305",
]
PLAINTEXT = secrets.token_bytes(1000)


def in_pieces(data, size):
    return [data[start : start + size] for start in range(0, len(data), size)]


def aead(mode, bits, nonce, tag_bytes):
    oid = {
        oid: (kind, size * 8)
        for kind, known in (("gcm", algorithms.GCM_KEY_BYTES), ("ccm", algorithms.CCM_KEY_BYTES))
        for oid, size in known.items()
    }
    found = next(each for each, value in oid.items() if value == (mode, bits))
    return schema.algorithm(found, asn1.encode_der(AEADParameters(aes_nonce=nonce, aes_icv_length=tag_bytes)))


@pytest.mark.parametrize("derive_key", [False, True])
@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_encrypted_in_pieces_is_decrypted_in_pieces(name, derive_key):
    written = new_cipher(name, derive_key=derive_key)
    read = read_cipher(schema.parse_algorithm(written.algorithm_der()), authenticated=written.is_authenticated)
    assert read == written
    key, associated = secrets.token_bytes(read.key_bytes), b"attributes" if read.is_authenticated else b""
    for length, size in itertools.product((0, 1, 15, 16, 17, 1000), (1, 7, 16, 1000)):
        encryptor = written.encryptor(key, associated)
        ciphertext = b"".join(map(encryptor.update, in_pieces(PLAINTEXT[:length], size)))
        rest, tag = encryptor.finalize()
        decryptor = read.decryptor(key, associated)
        opened = b"".join(map(decryptor.update, in_pieces(ciphertext + rest, size + 3)))
        assert opened + decryptor.finalize(tag) == PLAINTEXT[:length]
        assert read.decrypt(key, ciphertext + rest, tag, associated) == PLAINTEXT[:length]


@pytest.mark.parametrize("name", [name for name in WRITTEN if "cbc" not in name])
def test_a_change_of_key_text_tag_or_attributes_is_noticed(name):
    cipher = new_cipher(name)
    key = secrets.token_bytes(cipher.key_bytes)
    encryptor = cipher.encryptor(key, b"attributes")
    ciphertext = encryptor.update(PLAINTEXT)
    tag = encryptor.finalize()[1]
    good = [key, ciphertext, tag, b"attributes"]
    assert cipher.decrypt(*good) == PLAINTEXT
    for number in range(4):
        changed = [bytes((each[0] ^ 1,)) + each[1:] if number == place else each for place, each in enumerate(good)]
        with pytest.raises(DecryptionError):
            cipher.decrypt(*changed)
    for wrong in (b"", tag[:12], tag + b"\0"):
        with pytest.raises(DecryptionError):
            cipher.decrypt(key, ciphertext, wrong, b"attributes")


@pytest.mark.parametrize("tag_bytes", [12, 13, 14, 15, 16])
@pytest.mark.parametrize("nonce_bytes", [8, 12, 16, 64])
def test_gcm_of_other_programs(tag_bytes, nonce_bytes):
    """RFC 5084 section 3.2: any nonce length, and ICVs of 12 to 16 octets."""
    key, nonce = secrets.token_bytes(32), secrets.token_bytes(nonce_bytes)
    sealed = AESGCM(key).encrypt(nonce, PLAINTEXT, b"more")
    cipher = read_cipher(aead("gcm", 256, nonce, tag_bytes), authenticated=True)
    assert cipher.decrypt(key, sealed[:-16], sealed[-16:][:tag_bytes], b"more") == PLAINTEXT
    if tag_bytes < 16:  # a tag longer than promised is not what the algorithm identifier says
        with pytest.raises(DecryptionError):
            cipher.decrypt(key, sealed[:-16], sealed[-16:], b"more")


@pytest.mark.parametrize(("tag_bytes", "nonce_bytes"), [(12, 7), (14, 12), (16, 13)])
@pytest.mark.parametrize("bits", [128, 192, 256])
def test_ccm_of_other_programs(bits, tag_bytes, nonce_bytes):
    key, nonce = secrets.token_bytes(bits // 8), secrets.token_bytes(nonce_bytes)
    sealed = AESCCM(key, tag_bytes).encrypt(nonce, PLAINTEXT, b"more")
    cipher = read_cipher(aead("ccm", bits, nonce, tag_bytes), authenticated=True)
    assert cipher.name == f"aes-{bits}-ccm"
    assert cipher.decrypt(key, sealed[:-tag_bytes], sealed[-tag_bytes:], b"more") == PLAINTEXT
    with pytest.raises(DecryptionError):
        cipher.decrypt(key, sealed[:-tag_bytes], sealed[-tag_bytes:], b"less")


def test_ccm_keeps_no_more_than_its_limit(monkeypatch):
    monkeypatch.setattr(cipher_streams, "MAX_CCM_BYTES", 100)
    decryptor = read_cipher(aead("ccm", 128, bytes(12), 12), authenticated=True).decryptor(bytes(16))
    decryptor.update(bytes(100))
    with pytest.raises(DecodingError):
        decryptor.update(b"x")


def test_chacha20_poly1305_is_that_of_the_library():
    cipher = new_cipher("chacha20-poly1305")
    key = secrets.token_bytes(32)
    for length in (0, 1, 63, 64, 65, 1000):
        sealed = ChaCha20Poly1305(key).encrypt(cipher.nonce, PLAINTEXT[:length], b"more")
        assert cipher.decrypt(key, sealed[:-16], sealed[-16:], b"more") == PLAINTEXT[:length]
        encryptor = cipher.encryptor(key, b"more")
        assert encryptor.update(PLAINTEXT[:length]) + encryptor.finalize()[1] == sealed


@pytest.mark.parametrize(
    ("inner", "derived"),
    [
        ("301b0609608648016503040106300e040c5c79058ba2f43447639d29e2", "2124ffb29fac4e0fbbc7d5d87492bff3"),
        ("301d06096086480165030401020410651f722ffd512c52fe072e507d72b377", "9cd102c52f1e19ece8729b35bfeceb50"),
    ],
)
def test_derived_keys_are_those_of_rfc_9709(inner, derived):
    identifier = schema.algorithm(algorithms.CEK_HKDF_SHA256, bytes.fromhex(inner))
    cipher = read_cipher(identifier, authenticated="010630" in inner)
    assert cipher.derivation_info == bytes.fromhex(inner)
    plain = ContentCipher(cipher.name, cipher.kind, cipher.key_bytes, cipher.nonce, cipher.tag_bytes)
    encryptor = plain.encryptor(bytes.fromhex(derived))
    ciphertext = encryptor.update(PLAINTEXT)
    rest, tag = encryptor.finalize()
    unwrapped = bytes.fromhex("c702e7d0a9e064b09ba55245fb733cf3")
    assert cipher.decrypt(unwrapped, ciphertext + rest, tag[: cipher.tag_bytes]) == PLAINTEXT


def rc2(version):
    return lambda iv: schema.algorithm(
        algorithms.RC2_CBC, asn1.encode_der(RC2CBCParameter(rc2_parameter_version=version, iv=iv))
    )


OLD = {
    "des-ede3-cbc": (TripleDES, 24, lambda iv: schema.algorithm(algorithms.DES_EDE3_CBC, asn1.encode_der(iv))),
    "rc2-cbc": (RC2, 16, rc2(58)),
}


@pytest.mark.parametrize("name", OLD)
def test_old_ciphers_are_read_on_demand_only(name):
    block_cipher, key_bytes, identifier = OLD[name]
    key, iv = secrets.token_bytes(key_bytes), secrets.token_bytes(8)
    padder, encryptor = padding.PKCS7(64).padder(), Cipher(block_cipher(key), modes.CBC(iv)).encryptor()
    ciphertext = encryptor.update(padder.update(PLAINTEXT) + padder.finalize()) + encryptor.finalize()
    with pytest.raises(DecryptionError, match=name):
        read_cipher(identifier(iv), authenticated=False)
    cipher = read_cipher(identifier(iv), authenticated=False, allow_legacy=True)
    assert (cipher.name, cipher.is_legacy, cipher.is_authenticated) == (name, True, False)
    assert cipher.decrypt(key, ciphertext) == PLAINTEXT
    with pytest.raises(DecryptionError):
        cipher.decrypt(key, ciphertext[:-1])
    with pytest.raises(DecryptionError):
        read_cipher(identifier(iv[:7]), authenticated=False, allow_legacy=True).decrypt(key, ciphertext)


@pytest.mark.parametrize(("version", "name", "key_bytes"), [(160, "rc2-40-cbc", 5), (120, "rc2-64-cbc", 8)])
def test_short_rc2_keys_are_read_on_demand_only(version, name, key_bytes):
    with pytest.raises(DecryptionError, match=name):
        read_cipher(rc2(version)(bytes(8)), authenticated=False)
    cipher = read_cipher(rc2(version)(bytes(8)), authenticated=False, allow_legacy=True)
    assert (cipher.name, cipher.key_bytes, cipher.is_legacy) == (name, key_bytes, True)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_cipher_in_the_wrong_kind_of_message_is_refused(name):
    """RFC 5083 and RFC 9709: what AES-GCM protected must not be taken for AES-CBC, or the reverse."""
    cipher = new_cipher(name)
    with pytest.raises(DecryptionError):
        read_cipher(
            schema.parse_algorithm(cipher.algorithm_der()), authenticated=not cipher.is_authenticated, allow_legacy=True
        )


@pytest.mark.parametrize("length", [0, 1, 15, 17, 32])
@pytest.mark.parametrize("name", ["aes-128-cbc", "chacha20-poly1305"])
def test_a_nonce_of_the_wrong_length_opens_nothing(name, length):
    oid = schema.algorithm_oid(schema.parse_algorithm(new_cipher(name).algorithm_der()))
    cipher = read_cipher(schema.algorithm(oid, asn1.encode_der(bytes(length))), authenticated=name.startswith("chacha"))
    with pytest.raises(DecryptionError):
        cipher.decrypt(bytes(cipher.key_bytes), bytes(32), bytes(cipher.tag_bytes))


@pytest.mark.parametrize("tag_bytes", [-1, 0, 4, 8, 11, 17, 2**70])
@pytest.mark.parametrize("mode", ["gcm", "ccm"])
def test_short_and_absurd_tags_are_refused(mode, tag_bytes):
    with pytest.raises((DecryptionError, DecodingError)):
        read_cipher(aead(mode, 128, bytes(12), tag_bytes), authenticated=True)


@pytest.mark.parametrize(
    "identifier",
    [
        schema.algorithm("1.2.3"),
        schema.algorithm(algorithms.AES256_CBC),
        schema.algorithm(algorithms.AES256_CBC, b"\x05\x00"),
        schema.algorithm(algorithms.AES256_GCM, b"\x04\x0c" + bytes(12)),
        schema.algorithm(algorithms.CEK_HKDF_SHA256),
        schema.algorithm(algorithms.CEK_HKDF_SHA256, schema.algorithm_der(schema.algorithm("1.2.3"))),
        schema.algorithm(
            algorithms.CEK_HKDF_SHA256,
            schema.algorithm_der(
                schema.algorithm(algorithms.CEK_HKDF_SHA256, schema.algorithm_der(schema.algorithm("1.2")))
            ),
        ),
        schema.algorithm(algorithms.RC2_CBC, asn1.encode_der(RC2CBCParameter(rc2_parameter_version=57, iv=bytes(8)))),
    ],
)
@pytest.mark.parametrize("authenticated", [True, False])
def test_what_is_malformed_or_unknown_is_refused(identifier, authenticated):
    with pytest.raises((DecryptionError, DecodingError)):
        read_cipher(identifier, authenticated=authenticated, allow_legacy=True)
