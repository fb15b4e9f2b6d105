"""RC2: the vectors of RFC 2268, the library's own for 128 bits, and any cut into pieces."""

import secrets
import time

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import RC2
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from sealwright.cms.rc2 import Rc2CbcDecryptor

# RFC 2268 section 5: key, effective bits, plaintext, ciphertext
VECTORS = [
    ("0000000000000000", 63, "0000000000000000", "ebb773f993278eff"),
    ("ffffffffffffffff", 64, "ffffffffffffffff", "278b27e42e2f0d49"),
    ("3000000000000000", 64, "1000000000000001", "30649edf9be7d2c2"),
    ("88", 64, "0000000000000000", "61a8a244adacccf0"),
    ("88bca90e90875a", 64, "0000000000000000", "6ccf4308974c267f"),
    ("88bca90e90875a7f0f79c384627bafb2", 64, "0000000000000000", "1a807d272bbe5db1"),
    ("88bca90e90875a7f0f79c384627bafb2", 128, "0000000000000000", "2269552ab0f85ca6"),
    (
        "88bca90e90875a7f0f79c384627bafb216f80a6f85920584c42fceb0be255daf1e",
        129,
        "0000000000000000",
        "5b78d3a43dfff1f1",
    ),
]


@pytest.mark.parametrize(("key", "effective_bits", "plaintext", "ciphertext"), VECTORS)
def test_the_vectors_of_the_standard(key, effective_bits, plaintext, ciphertext):
    decryptor = Rc2CbcDecryptor(bytes.fromhex(key), effective_bits, bytes(8))
    assert decryptor.update(bytes.fromhex(ciphertext)).hex() == plaintext
    assert decryptor.finalize() == b""


@pytest.mark.parametrize("size", [1, 7, 8, 13, 40_000, 100_000])
def test_many_blocks_in_pieces_are_those_of_the_library(size):
    key, iv, plaintext = secrets.token_bytes(16), secrets.token_bytes(8), secrets.token_bytes(80_000)
    plaintext = plaintext if size > 100 else plaintext[:400]
    encryptor = Cipher(RC2(key), modes.CBC(iv)).encryptor()
    ciphertext = encryptor.update(plaintext) + encryptor.finalize()
    decryptor = Rc2CbcDecryptor(key, 128, iv)
    pieces = [decryptor.update(ciphertext[start : start + size]) for start in range(0, len(ciphertext), size)]
    assert b"".join(pieces) + decryptor.finalize() == plaintext


def test_what_is_not_whole_blocks_is_refused():
    decryptor = Rc2CbcDecryptor(bytes(16), 128, bytes(8))
    decryptor.update(bytes(9))
    with pytest.raises(ValueError, match="whole blocks"):
        decryptor.finalize()
    for length in (0, 7, 9, 16):
        with pytest.raises(ValueError, match="8 octets"):
            Rc2CbcDecryptor(bytes(16), 128, bytes(length))


def test_a_large_content_costs_in_proportion():
    """Against a hostile message of many MiB: sixteen times as much takes at most about sixteen times as long."""

    def seconds(size):
        decryptor, data, before = Rc2CbcDecryptor(bytes(16), 128, bytes(8)), bytes(size), time.process_time()
        decryptor.update(data)
        return time.process_time() - before

    assert seconds(2 << 20) < 64 * min(seconds(128 << 10) for _ in range(3))
