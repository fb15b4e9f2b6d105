"""Cosignatures: made and verified; strangers are passed over, and nothing that was changed counts."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealwright.errors import DecodingError, LogVerificationError
from sealwright.tlog.checkpoint import Checkpoint, open_note, sign_note
from sealwright.tlog.cosignature import Cosignature, add_line, cosign, verified_cosignatures
from sealwright.tlog.note import SignatureLine, key_id, split_note

ORIGIN, TIME = "log.example.test", 1_679_315_147
LOG, WITNESS = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
LOG_KEY, WITNESS_KEY = (key.public_key().public_bytes_raw() for key in (LOG, WITNESS))
NOTE = sign_note(Checkpoint(ORIGIN, 7, b"r" * 32), ORIGIN, LOG.sign, LOG_KEY)
TEXT = split_note(NOTE)[0]
LINE = cosign(TEXT, "witness.example.test/w1", TIME, WITNESS.sign, WITNESS_KEY)


def test_a_cosigned_checkpoint_is_the_logs_and_the_witnesses():
    note = add_line(NOTE, LINE)
    assert open_note(note, ORIGIN, LOG_KEY).size == 7
    assert verified_cosignatures(note, [LOG_KEY, WITNESS_KEY]) == (
        Cosignature("witness.example.test/w1", WITNESS_KEY, TIME),
    )
    assert add_line(note, LINE) == note
    assert verified_cosignatures(NOTE, [WITNESS_KEY]) == ()


def test_the_signed_message_is_the_specifications():
    said = []
    cosign(TEXT, "w", TIME, lambda message: said.append(message) or bytes(64), WITNESS_KEY)
    assert said == [f"cosignature/v1\ntime {TIME}\n{TEXT}".encode()]


def test_one_key_counts_once_and_a_strangers_line_not_at_all():
    again = cosign(TEXT, "witness.example.test/w2", TIME + 1, WITNESS.sign, WITNESS_KEY)
    both = add_line(add_line(NOTE, LINE), again)
    assert len(verified_cosignatures(both, [WITNESS_KEY])) == 1
    assert verified_cosignatures(both, [LOG_KEY]) == ()


def test_a_cosignature_of_another_checkpoint_or_time_does_not_verify():
    other = split_note(sign_note(Checkpoint(ORIGIN, 8, b"r" * 32), ORIGIN, LOG.sign, LOG_KEY))[0]
    for line in (
        cosign(other, "w", TIME, WITNESS.sign, WITNESS_KEY),
        cosign(TEXT, "w", TIME, LOG.sign, WITNESS_KEY),
        SignatureLine("w", key_id("w", WITNESS_KEY, b"\x04"), bytes(64)).encode(),
    ):
        with pytest.raises(LogVerificationError):
            verified_cosignatures(add_line(NOTE, line), [WITNESS_KEY])


def test_names_with_space_and_notes_with_too_many_lines_are_refused():
    for name in ("", "a b", "a+b"):
        with pytest.raises(ValueError, match="no space"):
            cosign(TEXT, name, TIME, WITNESS.sign, WITNESS_KEY)
    crowded = NOTE
    with pytest.raises(DecodingError):
        for number in range(32):
            crowded = add_line(crowded, cosign(TEXT, f"w{number}", TIME, WITNESS.sign, WITNESS_KEY))
