"""Opens protected messages with the standard library's mail parser and `sealwright.cms`, without the product's own reader."""

from email import message_from_bytes
from email.message import Message

from sealwright.cms import enveloped, signed
from sealwright.cms.decryptors import PrivateKeyDecryptor


def unprotected(message: bytes, key=None) -> bytes:
    """Return the innermost entity; every layer must open, and every signature must hold."""
    parsed = message_from_bytes(message)
    if parsed.get_param("protocol") == "application/pkcs7-signature":
        boundary = str(parsed.get_boundary()).encode()
        text = message.partition(b"--" + boundary + b"\r\n")[2].partition(b"\r\n--" + boundary)[0]
        signature = list(parsed.walk())[-1]
        assert signature.get_content_type() == "application/pkcs7-signature"
        return unprotected(signed.verify(content_of(signature), text).content, key)
    if parsed.get_content_type() != "application/pkcs7-mime":
        return message
    content_info, kind = content_of(parsed), parsed.get_param("smime-type")
    if kind == "signed-data":
        return unprotected(signed.verify(content_info, None).content, key)
    assert kind in ("enveloped-data", "authEnveloped-data")
    found = enveloped.decrypt(content_info, lambda _: [PrivateKeyDecryptor(key)])
    assert found.authenticated is (kind == "authEnveloped-data")
    return unprotected(found.content, key)


def content_of(part: Message) -> bytes:
    """Return a part's content, its transfer encoding undone."""
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


def leaves(message: Message) -> list[tuple[str, bytes]]:
    """Return type and decoded content of every leaf in order, line ends as LF in text."""
    found = []
    for part in message.walk():
        if part.is_multipart():
            continue
        content = content_of(part)
        is_text = part.get_content_maintype() == "text" and part["Content-Transfer-Encoding"] != "binary"
        found.append((part.get_content_type(), content.replace(b"\r\n", b"\n") if is_text else content))
    return found
