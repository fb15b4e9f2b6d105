"""Mail planned for recipients whose programs need different forms, for tests with those programs."""

from email import message_from_bytes

from support.certificates import NOW

from sealwright.cms.signers import Signer
from sealwright.smime.algorithm_choice import Recipient, plan_copies
from sealwright.smime.compose import Protection, protect

MAIL = b"From: alice@example.com\r\nTo: all@example.com\r\nSubject: the plan\r\n\r\nGr\xc3\xbc\xc3\x9fe, both ways\r\n"
TEXT = b"Gr=C3=BC=C3=9Fe, both ways"


def planned(signer: Signer, recipients: list[Recipient], own: Recipient | None = None) -> dict[tuple[int, ...], bytes]:
    """Return the protected copies by the positions of their recipients."""
    return {
        copy.positions: protect(
            MAIL,
            signer,
            copy.certificates,
            signing_time=NOW,
            protection=Protection(algorithms=copy.algorithms, legacy_display=True),
        )
        for copy in plan_copies(recipients, own)
    }


def cms_of(entity: bytes) -> bytes:
    """Return the CMS message that an application/pkcs7-mime entity holds."""
    part = message_from_bytes(entity)
    assert part.get_content_type() == "application/pkcs7-mime"
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content
