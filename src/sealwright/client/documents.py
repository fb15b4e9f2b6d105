"""Documents as CMS: encrypted to addresses, signed by this device, opened and verified."""

from collections.abc import Sequence

from sealwright.client.context import ClientContext
from sealwright.client.decision import RecipientState, decide
from sealwright.client.directory import find_recipients
from sealwright.client.keys import load_signer
from sealwright.client.read import SignatureView, signer_view, trust_of
from sealwright.cms import enveloped, signed
from sealwright.errors import InvalidSignatureError, MailHeldError
from sealwright.pkix.names import canonical_address
from sealwright.smime.signers import judge_signatures


def encrypt_document(context: ClientContext, content: bytes, addresses: Sequence[str]) -> bytes:
    """Encrypt a document to addresses and to the owner of this device; returns DER (AuthEnvelopedData, AES-256-GCM).

    Raises:
        MailHeldError: If an address has no usable certificate; nothing was encrypted.
    """
    found = find_recipients(context, [canonical_address(address) for address in addresses])
    decision = decide([RecipientState(recipient.address, recipient.state) for recipient in found])
    if found and decision.action != "encrypt":
        raise MailHeldError(f"no usable certificate for {', '.join(decision.because)}")
    certificates = [recipient.certificate for recipient in found if recipient.certificate is not None]
    certificates.append(context.key_ring.active_certificate()[0])
    return enveloped.encrypt(content, list(dict.fromkeys(certificates)), cipher="aes-256-gcm")


def decrypt_document(context: ClientContext, content_info: bytes) -> bytes:
    """Decrypt a document with any generation of the mailbox's key.

    Raises:
        DecryptionError: If no key opens it, or it was changed.
        DecodingError: If it is not an encrypted document.
    """
    return enveloped.decrypt(content_info, context.key_ring.find_keys).content


def sign_document(context: ClientContext, content: bytes, *, detached: bool) -> bytes:
    """Sign a document with this device's key; returns DER."""
    signer = load_signer(context.store.state.signing_key)
    return signed.sign(content, [signer], detached=detached, signing_time=context.clock.now())


def verify_document(context: ClientContext, content_info: bytes, content: bytes | None) -> tuple[bytes, SignatureView]:
    """Verify a signed document and return its content and what the signature is worth.

    Args:
        context: Gives anchors, revocation and time.
        content_info: The signature, or the signed document.
        content: The document of a detached signature.

    Raises:
        InvalidSignatureError: If the signature is broken, or its signer is not to be trusted.
        DecodingError: If it is not a signature.
    """
    verdict = judge_signatures(content_info, content, trust_of(context))
    bad = next((signer for signer in verdict.signers if not signer.is_valid), None)
    if verdict.content is None or not verdict.signers or bad is not None:
        reason = bad.reason if bad is not None else "nobody signed it"
        raise InvalidSignatureError(f"the document has no valid signature: {reason}")
    return verdict.content, signer_view(verdict.signers[0])
