"""A message opened by somebody who trusts nobody: what formats tests look at. Verdicts have tests of their own."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from support.certificates import NOW

from sealwright.errors import DecryptionError
from sealwright.smime.trust import Trust
from sealwright.smime.verdict import judge_message

NO_TRUST = Trust(now=NOW)


def open_message(message: bytes, find_key: Callable[[Any], Any], trust: Trust = NO_TRUST) -> SimpleNamespace:
    """Judge a message and return it flat; `verified` are the certificates of a signature that holds, or None.

    Raises:
        DecryptionError: If a layer stays closed.
    """
    verdict = judge_message(message, find_key, trust)
    layers = [layer.encryption for layer in verdict.layers if layer.encryption is not None]
    if any(not layer.is_decrypted for layer in layers):
        raise DecryptionError
    signers = verdict.signature.signers if verdict.signature else ()
    is_intact = bool(signers) and all(signer.is_intact for signer in signers)
    return SimpleNamespace(
        encrypted=verdict.summary.encrypted,
        authenticated_encryption=verdict.is_authenticated_encryption,
        verified=[signer.certificate for signer in signers] if is_intact else None,
        signature_error=next((signer.reason for signer in signers if not signer.is_intact), None),
        headers_protected=bool(verdict.headers.protected),
        from_addresses=verdict.headers.author.addresses,
        subject=verdict.headers.subject,
        body_text=verdict.body_text,
        attachments=verdict.attachments,
        entity=verdict.entity,
        recipient=layers[-1].recipient if layers else None,
        cautions=tuple(each.code for each in verdict.cautions),
        verdict=verdict,
    )
