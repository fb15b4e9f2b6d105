"""The mailbox proof (docs/flows/set-up-a-device.md): part 1 comes by mail, part 2 over HTTPS, and only an HMAC travels back.

The client answers HMAC-SHA256(part1 || part2, transcript). The transcript names the organization's domain, the address,
both device keys and the server's nonce, so whoever relays the exchange cannot use the answer for keys of their own.
"""

import hmac

from sealwright.wire.encoding import encode_fields

PART_BYTES = 32
CHALLENGE_HEADER = "X-Sealwright-Challenge"
"""Header of the challenge mail: `v=1; enrolment=<id>; part1=<base64url>; device=<thumbprint in hex>; domain=<domain>`.
The body says the same in words. A client finds its mail by this header and by its enrolment's id."""


def proof_transcript(domain: str, address: str, device_thumbprint: bytes, server_nonce: bytes) -> bytes:
    """Encode what a mailbox proof speaks about.

    Args:
        domain: The organization's domain as A-label, lower case.
        address: The canonical addr-spec.
        device_thumbprint: `DevicePublicKeys.thumbprint()`.
        server_nonce: 32 octets that came with part 2.
    """
    return encode_fields(
        "sealwright mailbox proof", 1, domain.encode("ascii"), address.encode("utf-8"), device_thumbprint, server_nonce
    )


def proof_answer(part1: bytes, part2: bytes, transcript: bytes) -> bytes:
    """Return HMAC-SHA256(part1 || part2, transcript), 32 octets."""
    return hmac.digest(part1 + part2, transcript, "sha256")
