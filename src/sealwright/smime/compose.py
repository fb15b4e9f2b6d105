"""From a plain message to a protected one: canonical form, header protection, signature, encryption (RFC 8551, RFC 9788).

The signature lies inside the encryption. The true header is part of what is signed and encrypted; what stands outside is the
header confidentiality policy's choice (`header_protection`), by default "[...]" as the subject.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sealwright.cms import enveloped, signed
from sealwright.cms.compressed import compress
from sealwright.cms.signers import Signer
from sealwright.errors import DecodingError, InputError
from sealwright.smime.algorithm_choice import Algorithms
from sealwright.smime.capabilities import announced, encode
from sealwright.smime.fields import Field, split_entity
from sealwright.smime.header_fields import ascii_field
from sealwright.smime.header_protection import (
    HeaderPolicy,
    hcp_baseline,
    is_structural,
    payload_header,
    visible_fields,
)
from sealwright.smime.legacy_display import add_legacy_display
from sealwright.smime.transfer import canonical, crlf, is_7bit
from sealwright.smime.wrapping import SmimeType, opaque_entity, signed_entity

MAX_MESSAGE_BYTES = 40 * 1024 * 1024
"""Base64, twice where signed inside, makes 1.8 times this."""
TRACE_FIELDS = ("received", "return-path", "delivered-to", "dkim-signature", "authentication-results")
"""What servers on the way wrote."""
BLIND_FIELDS = ("bcc", "resent-bcc")
"""Never sent to others."""
_END_OF_HEADER = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """How a message is protected.

    Attributes:
        algorithms: Of the encryption; see `algorithm_choice`.
        header_policy: What others see of an encrypted message's header.
        legacy_display: Repeat hidden fields at the top of the text, for programs that know no header protection.
        opaque: Sign with signed-data instead of multipart/signed where the message is only signed: no gateway can break it,
            and programs without S/MIME show nothing.
        triple_wrap: Sign the encrypted message again (RFC 2634 section 1.1).
        capabilities: SMIMECapabilities DER that the signature announces.
        keep_bcc: Keep Bcc inside the encryption: for the sender's own copy, and nobody else's.
    """

    algorithms: Algorithms = field(default_factory=Algorithms)
    header_policy: HeaderPolicy = hcp_baseline
    legacy_display: bool = False
    opaque: bool = False
    triple_wrap: bool = False
    capabilities: bytes = encode(announced())
    keep_bcc: bool = False


_COMMON = Protection()


def protect(
    message: bytes,
    signer: Signer | None,
    recipients: Sequence[x509.Certificate],
    *,
    signing_time: datetime,
    protection: Protection | None = None,
) -> bytes:
    """Sign a message and encrypt it.

    Args:
        message: RFC 5322; any line ends. Bcc is removed, but for `Protection.keep_bcc`.
        signer: Who signs, or None to leave the message unsigned.
        recipients: Certificates to encrypt to, the sender's own among them; empty to sign only.
        signing_time: Aware.
        protection: How; without, as every mail program can read it.

    Returns:
        RFC 5322 with CRLF: encrypted with signed-data inside; or, without recipients, multipart/signed (signed-data where
        something inside cannot be made to survive transport).

    Raises:
        InputError: If the message is malformed or too large, or there is neither a signer nor a recipient.
        UnsupportedAlgorithmError: If a key is of a kind that mail does not use.
        UnavailableError: If the signer's key cannot be reached now.
    """
    protection = protection or _COMMON
    if signer is None and not recipients:
        raise InputError("a message is protected by a signature or by encryption")
    if len(message) > MAX_MESSAGE_BYTES:
        raise InputError("the message is too large to be protected")
    # 1 Take it apart, and bring what is signed into canonical form (RFC 8551 section 3.1).
    keeps_bcc = protection.keep_bcc and bool(recipients)
    inside, structural, body = _taken_apart(message, never_sent=("resent-bcc",) if keeps_bcc else BLIND_FIELDS)
    trace = [each for each in inside if each.is_called(*TRACE_FIELDS)]
    inside = [ascii_field(each) for each in inside if each not in trace]
    structural, body = canonical(structural, body)
    # 2 Protect the header, 3 sign, 4 encrypt, 5 sign again.
    if not recipients:
        assert signer is not None
        payload = payload_header(inside, [], structural, "clear") + body
        outer = _header([*trace, *inside])
        return _signed(payload, signer, signing_time, protection, opaque=protection.opaque, before=outer)
    outside = [each for each in visible_fields(inside, protection.header_policy) if not each.is_called(*BLIND_FIELDS)]
    if protection.legacy_display:
        hidden = [each for each in inside if each not in outside]
        structural, body = add_legacy_display(structural, body, hidden)
    content = payload_header(inside, outside, structural, "cipher") + body
    if signer is not None:
        is_binary = protection.algorithms.binary_inside
        content = _signed(content, signer, signing_time, protection, opaque=True, is_binary=is_binary)
    outer = _header([*trace, *outside])
    if not protection.triple_wrap or signer is None:
        return _encrypted(content, recipients, protection.algorithms, before=outer)
    entity = _encrypted(content, recipients, protection.algorithms)
    return _signed(entity, signer, signing_time, protection, opaque=protection.opaque, before=outer)


def compressed_message(message: bytes) -> bytes:
    """Compress a message (RFC 8551 section 3.6); its header stays outside, and nothing is protected.

    Args:
        message: RFC 5322; any line ends. Bcc is removed.

    Returns:
        RFC 5322 with CRLF.

    Raises:
        InputError: If the message is malformed or too large.
    """
    if len(message) > MAX_MESSAGE_BYTES:
        raise InputError("the message is too large to be compressed")
    outside, structural, body = _taken_apart(message)
    structural, body = canonical(structural, body)
    content = b"".join(each.line for each in structural) + b"\r\n" + body
    return _header(outside) + opaque_entity("compressed-data", compress(content))


def certificates_message(
    message: bytes, certificates: Iterable[x509.Certificate], crls: Iterable[x509.CertificateRevocationList] = ()
) -> bytes:
    """Return a message that carries certificates and nothing else (certs-only, RFC 8551 section 3.8).

    Args:
        message: RFC 5322 without a text: its header.
        certificates: At least one, or a list.
        crls: Revocation lists.

    Returns:
        RFC 5322 with CRLF.

    Raises:
        InputError: If the header is malformed, there is a text, or nothing to carry.
    """
    outside, _structural, body = _taken_apart(message)
    if body.strip():
        raise InputError("a message that carries certificates has no text; give its header alone")
    carried, lists = list(certificates), [each.public_bytes(Encoding.DER) for each in crls]
    if not carried and not lists:
        raise InputError("there is no certificate and no list to carry")
    return _header(outside) + opaque_entity("certs-only", signed.certificates_only(carried, lists))


def _taken_apart(message: bytes, never_sent: tuple[str, ...] = BLIND_FIELDS) -> tuple[list[Field], list[Field], bytes]:
    """Split into the fields about the message, the structural ones (RFC 9788 section 1.1.1), and the body as it came.

    Raises:
        DecodingError: If the header is malformed: half a header must never be taken for the text, or the text for a header.
    """
    end = _END_OF_HEADER.search(message)
    head, body = (message[: end.start()], message[end.end() :]) if end else (message, b"")
    header, leftover = split_entity(crlf(head))
    if not header or leftover:
        raise DecodingError("the message has a malformed header")
    structural = [each for each in header if each.name.lower().startswith("content-")]
    names = [each.name.lower() for each in structural]
    for name in ("content-type", "content-transfer-encoding"):
        if names.count(name) > 1:
            raise DecodingError(f"the message has two {name} fields")
    if "content-type" not in names and not body.isascii():
        structural.append(_type_of_text(body))
    kept = [each for each in header if not is_structural(each) and not each.is_called(*never_sent)]
    return kept, structural, body


def _type_of_text(body: bytes) -> Field:
    """Return the type of a text that does not say what it is, and is not the ASCII that it therefore claims to be."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return Field("Content-Type", b" text/plain; charset=unknown-8bit")  # RFC 1428
    return Field("Content-Type", b" text/plain; charset=utf-8")


def _signed(
    payload: bytes,
    signer: Signer,
    signing_time: datetime,
    protection: Protection,
    *,
    opaque: bool,
    is_binary: bool = False,
    before: bytes = b"",
) -> bytes:
    """Return an entity with its signature, after the fields of a message; binary only where it is encrypted next."""
    opaque = opaque or not is_7bit(payload)
    signature = signed.sign(
        payload, [signer], detached=not opaque, signing_time=signing_time, capabilities=protection.capabilities
    )
    if opaque:
        return opaque_entity("signed-data", signature, before=before, is_binary=is_binary)
    return before + signed_entity(payload, signature, signer.algorithm.micalg)


def _encrypted(
    content: bytes, recipients: Sequence[x509.Certificate], algorithms: Algorithms, *, before: bytes = b""
) -> bytes:
    content_info = enveloped.encrypt(
        content,
        recipients,
        cipher=algorithms.cipher,
        key_transport=algorithms.key_transport,
        derive_key=algorithms.derive_key,
    )
    is_authenticated = algorithms.cipher == "aes-256-gcm"
    kind: SmimeType = "authEnveloped-data" if is_authenticated else "enveloped-data"
    return opaque_entity(kind, content_info, before=before)


def _header(outside: Sequence[Field]) -> bytes:
    return b"".join(each.line for each in outside) + b"MIME-Version: 1.0\r\n"
