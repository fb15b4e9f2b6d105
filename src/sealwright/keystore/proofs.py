"""Mailbox proofs as the keystore seals them: what a challenge is for, and whether an answer is right."""

import hmac
from datetime import UTC, datetime

from sealwright.errors import AuthenticationError
from sealwright.keystore.model import ProofBinding
from sealwright.wire.device import DevicePublicKeys
from sealwright.wire.encoding import decode_fields, encode_fields
from sealwright.wire.proof import proof_answer, proof_transcript

_PURPOSE = "sealwright sealed proof"


def encode_proof(binding: ProofBinding, part1: bytes, part2: bytes, server_nonce: bytes) -> bytes:
    """Encode what is sealed of a challenge.

    Args:
        binding: What it is for; mailbox and enrolment stand in the record's identity.
        part1: For the mail alone.
        part2: For the HTTPS answer.
        server_nonce: Of the transcript.
    """
    return encode_fields(
        _PURPOSE,
        1,
        binding.domain.encode("utf-8"),
        binding.address.encode("utf-8"),
        binding.device.authentication_key_spki,
        binding.device.hpke_public_key,
        binding.expires.astimezone(UTC).isoformat().encode("ascii"),
        part1,
        part2,
        server_nonce,
    )


def check_answer(encoded: bytes, answer: bytes, now: datetime, *, is_known: bool) -> tuple[DevicePublicKeys, str]:
    """Check an answer; everything is computed, whatever is wrong, so that the time tells nothing.

    Args:
        encoded: From `encode_proof`.
        answer: 32 octets.
        now: The time.
        is_known: Whether the address has a mailbox that is proved like this.

    Returns:
        The device's keys, and the address that was proved.

    Raises:
        AuthenticationError: If the answer is wrong, too late, or the address was unknown: the same words.
    """
    domain, address, spki, hpke_key, expires, part1, part2, nonce = decode_fields(_PURPOSE, 1, encoded)
    device = DevicePublicKeys(spki, hpke_key)
    transcript = proof_transcript(domain.decode("utf-8"), address.decode("utf-8"), device.thumbprint(), nonce)
    is_right = hmac.compare_digest(answer, proof_answer(part1, part2, transcript))
    is_in_time = now <= datetime.fromisoformat(expires.decode("ascii"))
    if not (is_right and is_known and is_in_time):
        raise AuthenticationError("the mailbox proof is not right or came too late: start the set-up again")
    return device, address.decode("utf-8")
