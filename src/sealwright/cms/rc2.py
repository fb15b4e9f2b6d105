"""RC2 in CBC mode (RFC 2268), decryption alone: what mail programs of the 1990s encrypted with, under keys of 40 bits even.

`cryptography` has it for 128 effective bits only. Many blocks are decrypted at once: a Python integer holds one word of each
block in a lane of 32 bits, so that a carry or a shift never reaches the next lane.
"""

_PI_TABLE = bytes.fromhex(
    "d978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2"
    "179a59f587b34f1361456d8d09817d32bd8f40eb86b77b0bf09521225c6b4e82"
    "54d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb626"
    "6fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed7"
    "08e8eade8052eef784aa72ac354d6a2a961ad2715a1549744b9fd05e0418a4ec"
    "c2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731"
    "2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a9"
    "0d38341bab33ffb0bb480c5fb9b1cd2ec5f3db47e5a59c770aa62068fe7fc1ad"
)
"""RFC 2268 section 2: digits of pi."""
_BLOCK_BYTES = 8
_BLOCKS_AT_ONCE = 4096
"""Lanes of 16 KiB stay in the processor's nearest cache."""
_ROTATIONS = (1, 2, 3, 5)
_MIXING_ROUNDS = (5, 6, 5)
"""With a mashing round between them."""


class Rc2CbcDecryptor:
    """Decrypts one content in pieces.

    Args:
        key: 1 to 128 octets.
        effective_bits: To which RFC 2268 section 2 reduces the key.
        iv: 8 octets.

    Raises:
        ValueError: If the initialization vector has another length.
    """

    def __init__(self, key: bytes, effective_bits: int, iv: bytes) -> None:
        if len(iv) != _BLOCK_BYTES:
            raise ValueError("an initialization vector of RC2 has 8 octets")
        self._words = _expanded(key, effective_bits)
        # one table for each octet of a word, for the mashing rounds; an index has 6 bits
        self._low = bytes(word & 0xFF for word in self._words) * 4
        self._high = bytes(word >> 8 for word in self._words) * 4
        self._previous, self._rest = iv, b""

    def update(self, data: bytes | memoryview) -> bytes:
        """Return the plaintext of the whole blocks so far."""
        data = self._rest + bytes(data)
        whole = len(data) - len(data) % _BLOCK_BYTES
        self._rest = data[whole:]
        step = _BLOCKS_AT_ONCE * _BLOCK_BYTES
        return b"".join(self._decrypt(data[start : min(start + step, whole)]) for start in range(0, whole, step))

    def update_into(self, data: memoryview, buffer: memoryview) -> int:
        """Write the plaintext of the whole blocks so far into a buffer; returns how many octets."""
        plaintext = self.update(data)
        buffer[: len(plaintext)] = plaintext
        return len(plaintext)

    def finalize(self) -> bytes:
        """Return nothing.

        Raises:
            ValueError: If the ciphertext was not whole blocks.
        """
        if self._rest:
            raise ValueError("the ciphertext is not whole blocks")
        return b""

    def _decrypt(self, ciphertext: bytes) -> bytes:
        """Decrypt whole blocks (RFC 2268 section 4)."""
        size = len(ciphertext) // _BLOCK_BYTES * 4
        ones = int.from_bytes(b"\1\0\0\0" * (size // 4), "little")
        mask, bias = ones * 0xFFFF, ones * 0x20000  # no lane falls below zero
        # 1 one number for each of the four words of a block
        words = []
        for place in range(0, _BLOCK_BYTES, 2):
            lanes = bytearray(size)
            lanes[0::4], lanes[1::4] = ciphertext[place::_BLOCK_BYTES], ciphertext[place + 1 :: _BLOCK_BYTES]
            words.append(int.from_bytes(lanes, "little"))
        # 2 the rounds, backwards
        position = len(self._words)
        for number, rounds in enumerate(_MIXING_ROUNDS):
            if number:
                for i in (3, 2, 1, 0):
                    index = (words[i - 1] & (ones * 63)).to_bytes(size, "little")
                    low, high = (int.from_bytes(index.translate(table), "little") for table in (self._low, self._high))
                    subtracted = low & (ones * 0xFF) | (high & (ones * 0xFF)) << 8
                    words[i] = (words[i] + bias - subtracted) & mask
            for _ in range(rounds):
                for i in (3, 2, 1, 0):
                    position -= 1
                    a, b, c = words[i - 1], words[i - 2], words[i - 3]
                    rotated = (words[i] >> _ROTATIONS[i] | words[i] << (16 - _ROTATIONS[i])) & mask
                    chosen = c ^ (a & (b ^ c))  # (a AND b) + (NOT a AND c)
                    words[i] = (rotated + bias - ones * self._words[position] - chosen) & mask
        # 3 the words back in their places, and the chain
        plaintext = bytearray(len(ciphertext))
        for place, word in zip(range(0, _BLOCK_BYTES, 2), words, strict=True):
            decrypted = word.to_bytes(size, "little")
            plaintext[place::_BLOCK_BYTES], plaintext[place + 1 :: _BLOCK_BYTES] = decrypted[0::4], decrypted[1::4]
        chain = self._previous + ciphertext[:-_BLOCK_BYTES]
        self._previous = ciphertext[-_BLOCK_BYTES:]
        return (int.from_bytes(plaintext, "little") ^ int.from_bytes(chain, "little")).to_bytes(
            len(plaintext), "little"
        )


def _expanded(key: bytes, effective_bits: int) -> list[int]:
    """Return the 64 words of the expanded key (RFC 2268 section 2)."""
    octets = bytearray(key)
    for place in range(len(key), 128):
        octets.append(_PI_TABLE[(octets[place - 1] + octets[place - len(key)]) & 0xFF])
    effective = (effective_bits + 7) // 8
    octets[128 - effective] = _PI_TABLE[octets[128 - effective] & 0xFF >> (8 * effective - effective_bits)]
    for place in range(127 - effective, -1, -1):
        octets[place] = _PI_TABLE[octets[place + 1] ^ octets[place + effective]]
    return [int.from_bytes(octets[place : place + 2], "little") for place in range(0, 128, 2)]
