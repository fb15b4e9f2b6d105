"""The tick of `read`: one word for a signature, from the verdict and from nothing else."""

import pytest
from support.certificates import NOW
from support.mail_people import MailRoot
from support.smime_layers import FROM_ALICE, TEXT, encrypted, mixed, signature_of, signed_clear, signed_opaque

from sealwright.client.documents import verify_document
from sealwright.client.read import read_message_with
from sealwright.errors import DecodingError, DecryptionError, InvalidSignatureError
from sealwright.smime.cautions import CAUTIONS
from sealwright.smime.trust import Trust

ROOT, OTHER = MailRoot(), MailRoot("Other")
ALICE, MALLORY, STRANGER = ROOT.person("alice"), ROOT.person("mallory"), OTHER.person("alice")
SIGNED = FROM_ALICE + signed_clear(TEXT, ALICE)


@pytest.mark.parametrize(
    ("message", "state", "reason"),
    [
        (FROM_ALICE + TEXT, "none", ""),
        (FROM_ALICE + mixed(signed_clear(TEXT, ALICE)), "none", ""),
        (FROM_ALICE + signed_opaque(encrypted(TEXT, MALLORY), ALICE), "none", ""),
        (SIGNED, "valid", ""),
        (FROM_ALICE + signed_opaque(TEXT, MALLORY, ALICE), "valid", ""),
        (SIGNED.replace(b"Pay 10", b"Pay 99"), "invalid", "changed"),
        (FROM_ALICE + signed_clear(TEXT, STRANGER), "untrusted", "no path"),
        (FROM_ALICE + signed_clear(TEXT, ALICE, STRANGER), "untrusted", "no path"),
        (FROM_ALICE + signed_clear(TEXT, MALLORY), "wrong-sender", "signed by mallory@example.test"),
        (b"From: b@example.test\r\n" + SIGNED, "wrong-sender", "signed by alice@example.test"),
    ],
)
def test_one_word_for_a_signature(message, state, reason):
    opened = read_message_with(message, MALLORY.find_keys, ROOT.trust())
    assert (opened.signature.state, opened.body_text.startswith("Pay")) == (state, True)
    assert reason in opened.signature.reason
    assert (opened.verdict.summary.authentic_author is not None) is (state == "valid")
    assert opened.signature.signer == () or state != "none"


def test_what_the_list_shows_of_a_valid_one():
    view = read_message_with(SIGNED, MALLORY.find_keys, ROOT.trust()).signature
    assert (view.signer, view.signing_time, view.reason) == (("alice@example.test",), NOW.isoformat(), "")
    assert view.warnings == (CAUTIONS["subject-not-protected"],)


def test_a_message_that_stays_closed_is_an_error():
    with pytest.raises(DecryptionError):
        read_message_with(FROM_ALICE + encrypted(TEXT, ALICE), MALLORY.find_keys, ROOT.trust())


def test_documents_have_no_sender(tmp_path):
    written = tmp_path / "written"

    def verified(content_info, given, trust):
        (tmp_path / "document").write_bytes(content_info)
        (tmp_path / "given").write_bytes(given or b"")
        content = tmp_path / "given" if given is not None else None
        return verify_document(tmp_path / "document", content, written, trust)

    view = verified(signature_of(b"file", MALLORY), None, ROOT.trust())
    assert (written.read_bytes(), view.state, view.signer) == (b"file", "valid", ("mallory@example.test",))
    written.unlink()
    view = verified(signature_of(b"file", MALLORY, detached=True), b"file", ROOT.trust())
    assert (written.read_bytes(), view.state) == (b"file", "valid")
    written.unlink()
    for content_info, given, trust in [
        (signature_of(b"file", STRANGER), None, ROOT.trust()),
        (signature_of(b"file", ALICE, STRANGER), None, ROOT.trust()),
        (signature_of(b"file", ALICE), None, Trust(now=NOW)),
        (signature_of(b"file"), None, ROOT.trust()),
        (signature_of(b"file", ALICE, detached=True), b"other", ROOT.trust()),
    ]:
        with pytest.raises(InvalidSignatureError):
            verified(content_info, given, trust)
        assert not written.exists()
    for content_info, given in [
        (signature_of(b"file", ALICE), b"file"),
        (signature_of(b"f", ALICE, detached=True), None),
    ]:
        with pytest.raises(DecodingError):
            verified(content_info, given, ROOT.trust())
        assert not written.exists()
