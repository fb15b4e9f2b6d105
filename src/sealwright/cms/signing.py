"""The parts of a SignedData that is written, before and after the content (RFC 5652 section 5.1).

`signed.sign` puts them around a content in memory, a streaming writer around one that passes by.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from cryptography import x509

from sealwright.asn1.der import object_identifier
from sealwright.asn1.writer import tlv
from sealwright.cms import schema
from sealwright.cms.digests import ContentDigests
from sealwright.cms.known_certificates import encoded_certificate
from sealwright.cms.signed_attributes import SMIME_CAPABILITIES, attribute
from sealwright.cms.signer_info import make_signer_info
from sealwright.cms.signers import Signer


def before_content(signers: Sequence[Signer], content_type: str) -> tuple[bytes, bytes]:
    """Return version and digestAlgorithms.

    Args:
        signers: Who will sign.
        content_type: Dotted OID. RFC 5652 section 5.1: version 3 where it is not id-data.
    """
    version = b"\x02\x01\x01" if content_type == schema.DATA else b"\x02\x01\x03"
    return version, tlv(0x31, *sorted({signer.algorithm.digest.identifier_der for signer in signers}))


def after_content(
    signers: Sequence[Signer],
    content: bytes | ContentDigests,
    *,
    content_type: str,
    signing_time: datetime,
    capabilities: bytes = b"",
    crls: Iterable[bytes] = (),
) -> tuple[bytes, ...]:
    """Sign, and return certificates, CRLs where there are any, and signerInfos.

    Args:
        signers: Each adds its certificate, its chain and a SignerInfo.
        content: What is signed; or its digests by every signer's `algorithm.digest`, all of it taken.
        content_type: Dotted OID.
        signing_time: Aware.
        capabilities: SMIMECapabilities DER; empty to announce none.
        crls: DER CertificateLists to send along.

    Raises:
        UnavailableError: If a signer's key cannot be reached now.
    """
    content_type_der = object_identifier(content_type)
    others = (attribute(SMIME_CAPABILITIES, capabilities),) if capabilities else ()
    infos = []
    for signer in signers:
        digest = signer.algorithm.digest
        message_digest = digest.of(content) if isinstance(content, bytes) else content.digest(digest)
        assert message_digest is not None, "the digests of a content are computed for its signers"
        infos.append(
            make_signer_info(
                signer,
                content_type=content_type_der,
                message_digest=message_digest,
                signing_time=signing_time,
                others=others,
            )
        )
    certificates = [each for signer in signers for each in (signer.certificate, *signer.chain)]
    return (*certificates_and_crls(certificates, crls), tlv(0x31, *sorted(infos)))


def certificates_and_crls(certificates: Iterable[x509.Certificate], crls: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return CertificateSet and RevocationInfoChoices, each only where it is not empty."""
    sets = (0xA0, {encoded_certificate(each)[0] for each in certificates}), (0xA1, set(crls))
    return tuple(tlv(tag, *sorted(members)) for tag, members in sets if members)
