"""Countersignatures (RFC 5652 section 11.4): a signature over somebody's signature, put into a message that is there."""

from datetime import datetime

from sealwright.cms.signer_info import make_signer_info
from sealwright.cms.signers import Signer
from sealwright.cms.unsigned_attributes import COUNTERSIGNATURE, add_unsigned_attribute


def countersign(content_info: bytes, signature: bytes, signer: Signer, *, signing_time: datetime) -> bytes:
    """Countersign a signature of a message; says nothing about the content, which it does not need.

    Args:
        content_info: SignedData, DER or BER.
        signature: Which of its signatures, by its value.
        signer: Adds a SignerInfo under that signature, its certificate and its chain.
        signing_time: Aware.

    Returns:
        DER ContentInfo; everything that was there is kept.

    Raises:
        DecodingError: If it is not a SignedData.
        InputError: If it does not hold this signature.
        UnavailableError: If the signer's key cannot be reached now.
    """
    # what is digested are the contents octets of the signature value; contentType must be absent
    over = make_signer_info(
        signer,
        content_type=None,
        message_digest=signer.algorithm.digest.of(signature),
        signing_time=signing_time,
        others=(),
    )
    certificates = (signer.certificate, *signer.chain)
    return add_unsigned_attribute(content_info, signature, COUNTERSIGNATURE, over, certificates)
