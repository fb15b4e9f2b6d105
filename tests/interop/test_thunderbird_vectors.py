"""Mail that Thunderbird 153 wrote and that was kept, so that it is read also where Thunderbird is not installed."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_der_private_key
from support.decryption import keys_of

from sealwright.smime.trust import Trust
from sealwright.smime.verdict import judge_message

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "thunderbird-153"
AUTHOR = "bob@example.com"
EXPECTED = {
    # name: (encrypted, signed, the content ciphers outermost first)
    "encrypted": (True, False, ["aes-128-cbc"]),
    "signed": (False, True, []),
    "signed-encrypted": (True, True, ["aes-128-cbc"]),
}


def test_the_messages_are_all_there():
    assert {path.stem for path in VECTORS.glob("*.eml")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_it_is_read_as_it_was_written(name):
    encrypted, signed, ciphers = EXPECTED[name]
    root, certificate = (
        x509.load_der_x509_certificate((VECTORS / f"{each}.der").read_bytes()) for each in ("root", "alice-certificate")
    )
    key = load_der_private_key((VECTORS / "alice-key.der").read_bytes(), None)
    trust = Trust(now=datetime(2026, 11, 25, tzinfo=UTC), anchors=(root,))
    verdict = judge_message((VECTORS / f"{name}.eml").read_bytes(), keys_of((certificate, key)), trust)
    assert (verdict.summary.encrypted, verdict.summary.signed) == (encrypted, signed)
    assert verdict.summary.authentic_author == (AUTHOR if signed else None)
    assert verdict.body_text == "typed text\n"
    assert [layer.encryption.content_cipher for layer in verdict.layers if layer.encryption] == ciphers
    assert verdict.headers.subject.startswith("from tb")


def test_a_changed_text_has_no_author():
    root = x509.load_der_x509_certificate((VECTORS / "root.der").read_bytes())
    message = (VECTORS / "signed.eml").read_bytes()
    changed = message.replace(b"dHlwZWQgdGV4dA0K", b"dHlwZWQgdGVzdA0K")
    assert changed != message
    verdict = judge_message(changed, lambda _: [], Trust(now=datetime(2026, 11, 25, tzinfo=UTC), anchors=(root,)))
    assert verdict.body_text == "typed test\n"
    assert verdict.summary.authentic_author is None
