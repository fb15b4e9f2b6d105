"""Documents as CMS: encrypted to certificates, signed, opened and verified; with keys of this device or from files."""

import itertools
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from io import BytesIO
from pathlib import Path

from cryptography import x509

from sealwright.asn1.pull_reader import size_of
from sealwright.client.capabilities import own_recipient, recipient_of
from sealwright.client.context import ClientContext
from sealwright.client.decision import RecipientState, decide
from sealwright.client.directory import find_recipients
from sealwright.client.document_files import (
    InputFile,
    OutputFile,
    Readable,
    reading,
    reading_again,
    writing,
    writing_whole,
)
from sealwright.client.key_files import pem_block
from sealwright.client.read import SignatureView, signer_view
from sealwright.cms.content_stream import Progress, Sink, Source
from sealwright.cms.countersigning import countersign
from sealwright.cms.decryptors import FindKeys
from sealwright.cms.encrypted_stream import decrypt_stream, encrypt_stream
from sealwright.cms.enveloped import MAX_MESSAGE_BYTES, Decryption
from sealwright.cms.signed_data import load_signed_data
from sealwright.cms.signed_source import SignedSource
from sealwright.cms.signed_stream import examine_detached_stream, examine_stream, sign_stream
from sealwright.cms.signer_report import SignedContent
from sealwright.cms.signers import Signer
from sealwright.errors import DecodingError, InputError, InvalidSignatureError, MailHeldError
from sealwright.pkix.names import canonical_address
from sealwright.smime.algorithm_choice import use_pairs
from sealwright.smime.signers import judge_signed_content
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
    programs = context.store.state.programs
    recipients = [
        recipient_of(programs, one.address, one.certificate, one.kem_certificate)
        for one in found
        if one.certificate is not None
    ]
    return [recipient.certificate for recipient in use_pairs([*recipients, own_recipient(context)])]


def encrypt_document(
    document: InputFile,
    output: OutputFile,
    recipients: Sequence[x509.Certificate],
    progress: Progress | None = None,
    *,
    signers: Sequence[Signer] = (),
    signing_time: datetime | None = None,
) -> None:
    """Encrypt a file of any size; writes AuthEnvelopedData (AES-256-GCM), DER where the size is known beforehand, else BER.

    Args:
        document: What is encrypted.
        output: Gets the encrypted file.
        recipients: At least one.
        progress: Told of the plaintext.
        signers: Who signs it first; what is encrypted is then what `sign_document` writes.
        signing_time: Aware; needed with signers.

    Raises:
        InputError: If there is no recipient or too many, or the file changed meanwhile.
        UnsupportedAlgorithmError: If a recipient's key cannot be encrypted to.
        UnavailableError: If a signer's key cannot be reached now.
        OSError: If a file cannot be read or written. Whatever is raised, a file at `output` is as it was.
    """
    to = list(dict.fromkeys(recipients))
    if not signers:
        with reading(document) as source, writing(output) as sink:
            size = size_of(source) if source.seekable() else None
            encrypt_stream(source, sink, to, size=size, progress=progress)
        return
    assert signing_time is not None, "a signature says when it was made"
    with reading_again(document) as source, writing(output) as sink:
        signed = SignedSource(source, signers, signing_time=signing_time, progress=progress)
        encrypt_stream(signed, sink, to, size=signed.size)


def decrypt_document(
    document: InputFile, output: OutputFile, find_keys: FindKeys, progress: Progress | None = None
) -> Decryption:
    """Decrypt a file of any size, DER, BER or PEM; nothing is at its place before tag or padding were checked.

    Raises:
        DecryptionError: If no key opens it, or it was changed.
        DecodingError: If it is not an encrypted document.
        OSError: If a file cannot be read or written. Whatever is raised, `output` is as it was.
    """
    with _opened(document) as source, writing_whole(output) as sink:
        return decrypt_stream(source, sink, find_keys, allow_legacy=True, progress=progress)


def sign_document(
    document: InputFile,
    output: OutputFile,
    signers: Sequence[Signer],
    *,
    detached: bool,
    signing_time: datetime,
    progress: Progress | None = None,
) -> None:
    """Sign a file of any size; writes DER.

    Raises:
        InputError: If the file changed meanwhile.
        OSError: If a file cannot be read or written. Whatever is raised, a file at `output` is as it was.
    """
    with reading_again(document) as source, writing(output) as sink:
        sign_stream(source, sink, signers, detached=detached, signing_time=signing_time, progress=progress)


def countersign_document(
    document: InputFile, output: OutputFile, signers: Sequence[Signer], *, signing_time: datetime
) -> None:
    """Countersign every signature of a file of at most 64 MiB, DER, BER or PEM; writes DER. They are not verified before.

    Raises:
        DecodingError: If it is not a signature, or too large.
        InputError: If nobody signed it.
        OSError: If a file cannot be read or written. Whatever is raised, a file at `output` is as it was.
    """
    with _opened(document) as source:
        content_info = source.read(MAX_MESSAGE_BYTES + 1)
    signatures = [info.signature for info in load_signed_data(content_info).signer_infos]
    if not signatures:
        raise InputError("nobody signed the file, so there is nothing to countersign")
    for signature, signer in itertools.product(signatures, signers):
        content_info = countersign(content_info, signature, signer, signing_time=signing_time)
    with writing(output) as sink:
        sink.write(content_info)


def verify_document(
    document: InputFile,
    content: InputFile | None,
    output: OutputFile | None,
    trust: Trust,
    progress: Progress | None = None,
) -> SignatureView:
    """Verify a signed file of any size, and say what the signature is worth.

    Args:
        document: The signature, or the signed document; DER, BER or PEM.
        content: The document of a detached signature.
        output: Gets the signed content, if its signature is valid.
        trust: What signers are judged by.
        progress: Told of the content.

    Raises:
        InvalidSignatureError: If a signature is broken, or its signer is not to be trusted.
        DecodingError: If it is not a signature.
        OSError: If a file cannot be read or written. Whatever is raised, `output` is as it was.
    """
    with ExitStack() as stack:
        nowhere = Path(os.devnull)
        sink: Sink = stack.enter_context(writing_whole(output) if output is not None else nowhere.open("wb"))
        source = stack.enter_context(_opened(document))
        known, weak = trust.certificates, trust.allow_weak
        if content is None:
            examined = examine_stream(source, sink, certificates=known, allow_weak=weak, progress=progress)
        else:
            signature = source.read(MAX_MESSAGE_BYTES + 1)
            tee = _Tee(stack.enter_context(reading(content)), sink)
            examined = examine_detached_stream(signature, tee, certificates=known, allow_weak=weak, progress=progress)
        return _valid(examined, trust)


def decrypt_and_verify_document(
    document: InputFile, output: OutputFile, find_keys: FindKeys, trust: Trust, progress: Progress | None = None
) -> SignatureView:
    """Decrypt a file that was signed before it was encrypted, verify it, and say what the signature is worth.

    The encrypted file is read once; what it held is kept in a file without a name until tag and signature were checked.

    Args:
        document: DER, BER or PEM.
        output: Gets the signed content, if its signature is valid.
        find_keys: Gives every key that a recipient identifier may mean.
        trust: What signers are judged by.
        progress: Told of the ciphertext.

    Raises:
        DecryptionError: If no key opens it, or it was changed.
        InvalidSignatureError: If a signature is broken, or its signer is not to be trusted.
        DecodingError: If it is not an encrypted document with a signed one inside.
        OSError: If a file cannot be read or written. Whatever is raised, `output` is as it was.
    """
    folder = output.parent if isinstance(output, Path) else None
    with writing_whole(output) as sink, tempfile.TemporaryFile(dir=folder) as spool:
        with _opened(document) as source:
            decrypt_stream(source, spool, find_keys, allow_legacy=True, progress=progress)
        examined = examine_stream(spool, sink, certificates=trust.certificates, allow_weak=trust.allow_weak)
        return _valid(examined, trust)


def _valid(examined: SignedContent, trust: Trust) -> SignatureView:
    """Say what the first signature is worth, if all are valid.

    Raises:
        InvalidSignatureError: If one is not, or there is none.
    """
    signers = judge_signed_content(examined, trust).signers
    bad = next((signer for signer in signers if not signer.is_valid), None)
    if not signers or bad is not None:
        reason = bad.reason if bad is not None else "nobody signed it"
        raise InvalidSignatureError(f"the document has no valid signature: {reason}")
    return signer_view(signers[0])


class _Tee:
    """A file that is written on while it is read."""

    def __init__(self, source: Source, sink: Sink) -> None:
        self._source, self._sink = source, sink

    def readinto(self, buffer: memoryview, /) -> int | None:
        count = self._source.readinto(buffer)
        self._sink.write(buffer[: count or 0])
        return count


@contextmanager
def _opened(document: InputFile) -> Iterator[Readable]:
    """Open a CMS file; one in PEM is decoded first."""
    with reading_again(document) as source:
        is_pem = b"-----BEGIN" in source.read(64)
        source.seek(0)
        if not is_pem:
            yield source
            return
        text = source.read(MAX_MESSAGE_BYTES + 1)
    if len(text) > MAX_MESSAGE_BYTES:
        raise InputError("a message in PEM is read up to 64 MiB; turn it into DER")
    block = pem_block(text, b"CMS", b"PKCS7")
    if block is None:
        raise DecodingError("the file holds no CMS message")
    yield BytesIO(block)
