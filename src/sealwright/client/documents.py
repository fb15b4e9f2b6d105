"""Documents as CMS: encrypted to certificates, signed, opened and verified; with keys of this device or from files."""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509

from sealwright.client.context import ClientContext
from sealwright.client.decision import RecipientState, decide
from sealwright.client.directory import find_recipients
from sealwright.client.key_files import pem_block
from sealwright.client.read import SignatureView, signer_view
from sealwright.cms import enveloped, signed
from sealwright.cms.decryptors import FindKeys
from sealwright.cms.signers import Signer
from sealwright.errors import InvalidSignatureError, MailHeldError
from sealwright.pkix.names import canonical_address
from sealwright.smime.signers import judge_signatures
from sealwright.smime.trust import Trust


def find_document_recipients(context: ClientContext, addresses: Sequence[str]) -> list[x509.Certificate]:
    """Return the certificates of addresses and of the owner of this device.

    Raises:
        MailHeldError: If an address has no usable certificate.
    """
    found = find_recipients(context, [canonical_address(address) for address in addresses])
    decision = decide([RecipientState(recipient.address, recipient.state) for recipient in found])
    if found and decision.action != "encrypt":
        raise MailHeldError(f"no usable certificate for {', '.join(decision.because)}")
    certificates = [recipient.certificate for recipient in found if recipient.certificate is not None]
    return [*certificates, context.key_ring.active_certificate()[0]]


def encrypt_document(content: bytes, recipients: Sequence[x509.Certificate]) -> bytes:
    """Encrypt a document; returns DER (AuthEnvelopedData, AES-256-GCM).

    Raises:
        InputError: If there is no recipient, or too many.
        UnsupportedAlgorithmError: If a recipient's key cannot be encrypted to.
    """
    return enveloped.encrypt(content, list(dict.fromkeys(recipients)), cipher="aes-256-gcm")


def decrypt_document(content_info: bytes, find_keys: FindKeys) -> bytes:
    """Decrypt a document, DER, BER or PEM.

    Raises:
        DecryptionError: If no key opens it, or it was changed.
        DecodingError: If it is not an encrypted document.
    """
    return enveloped.decrypt(_binary(content_info), find_keys, allow_legacy=True).content


def sign_document(content: bytes, signers: Sequence[Signer], *, detached: bool, signing_time: datetime) -> bytes:
    """Sign a document; returns DER."""
    return signed.sign(content, signers, detached=detached, signing_time=signing_time)


def verify_document(content_info: bytes, content: bytes | None, trust: Trust) -> tuple[bytes, SignatureView]:
    """Verify a signed document and return its content and what the signature is worth.

    Args:
        content_info: The signature, or the signed document; DER, BER or PEM.
        content: The document of a detached signature.
        trust: What signers are judged by.

    Raises:
        InvalidSignatureError: If a signature is broken, or its signer is not to be trusted.
        DecodingError: If it is not a signature.
    """
    verdict = judge_signatures(_binary(content_info), content, trust)
    bad = next((signer for signer in verdict.signers if not signer.is_valid), None)
    if verdict.content is None or not verdict.signers or bad is not None:
        reason = bad.reason if bad is not None else "nobody signed it"
        raise InvalidSignatureError(f"the document has no valid signature: {reason}")
    return verdict.content, signer_view(verdict.signers[0])


def _binary(content_info: bytes) -> bytes:
    block = pem_block(content_info, b"CMS", b"PKCS7")
    return content_info if block is None else block
