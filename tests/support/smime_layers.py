"""S/MIME messages put together by hand, layer by layer, so that each can be as wrong as a test wants it."""

import base64
from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from support.certificates import NOW
from support.forged import unsigned
from support.mail_people import MailPerson

from sealwright.cms import enveloped, signed
from sealwright.cms.signers import PrivateKeySigner
from sealwright.smime.capabilities import announced, encode

TEXT = b"Content-Type: text/plain; charset=utf-8\r\n\r\nPay 10 to Bob.\r\n"
FROM_ALICE = b"From: Alice <alice@example.test>\r\nTo: bob@example.test\r\nSubject: Money\r\n"


def base64_lines(octets: bytes) -> bytes:
    """Return base64 in lines."""
    return base64.encodebytes(octets).replace(b"\n", b"\r\n")


def opaque(content_info: bytes, smime_type: str = "", content_type: str = "application/pkcs7-mime") -> bytes:
    """Return an application/pkcs7-mime entity."""
    kind = f"; smime-type={smime_type}" if smime_type else ""
    head = f'Content-Type: {content_type}{kind}; name="smime.p7m"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    return head.encode() + base64_lines(content_info)


def signature_of(
    entity: bytes,
    *people: MailPerson,
    detached: bool = False,
    time: datetime = NOW,
    chain: Sequence[x509.Certificate] = (),
) -> bytes:
    """Return SignedData over an entity."""
    signers = [PrivateKeySigner(each.certificate, each.key, chain) for each in people]
    if not signers:
        return unsigned(entity, detached=detached)
    capabilities = encode(announced())
    return signed.sign(entity, signers, detached=detached, signing_time=time, capabilities=capabilities)


def signed_opaque(entity: bytes, *people: MailPerson, time: datetime = NOW) -> bytes:
    """Return an entity as opaque signed-data."""
    return opaque(signature_of(entity, *people, time=time), "signed-data")


def signed_clear(entity: bytes, *people: MailPerson, boundary: str = "sig", time: datetime = NOW) -> bytes:
    """Return an entity as multipart/signed."""
    return multipart_signed(entity, signature_of(entity, *people, detached=True, time=time), boundary)


def multipart_signed(entity: bytes, content_info: bytes, boundary: str = "sig", *, extra: bytes = b"") -> bytes:
    """Return multipart/signed over an entity and any signature; `extra` are more parts."""
    mark = f"--{boundary}".encode()
    head = (
        f'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-1; boundary="{boundary}"'
    )
    signature = (
        b'Content-Type: application/pkcs7-signature; name="smime.p7s"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    )
    return b"".join(
        (
            head.encode() + b"\r\n\r\nnot a part\r\n",
            mark + b"\r\n" + entity + b"\r\n",
            mark + b"\r\n" + signature + base64_lines(content_info),
            extra,
            mark + b"--\r\nnot a part either\r\n",
        )
    )


def encrypted(entity: bytes, *people: MailPerson, authenticated: bool = True) -> bytes:
    """Return an entity encrypted: AES-256-GCM, or AES-256-CBC."""
    cipher = "aes-256-gcm" if authenticated else "aes-256-cbc"
    smime_type = "authEnveloped-data" if authenticated else "enveloped-data"
    content_info = enveloped.encrypt(entity, [each.certificate for each in people], cipher=cipher)  # type: ignore[arg-type]
    return opaque(content_info, smime_type)


def mixed(*parts: bytes, boundary: str = "mix", kind: str = "mixed") -> bytes:
    """Return a multipart of parts."""
    mark = f"--{boundary}".encode()
    head = f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'.encode()
    return head + b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"


def with_header(entity: bytes, *fields: bytes, protection: str = "") -> bytes:
    """Put fields before an entity, and the hp parameter into its Content-Type."""
    if protection:
        head, _, rest = entity.partition(b"\r\n")
        entity = head + f'; hp="{protection}"'.encode() + b"\r\n" + rest
    return b"".join(fields) + entity
