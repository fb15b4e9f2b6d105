"""A device refuses a log that is shorter than the one it has seen."""

from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealwright.client.checkpoints import remember_checkpoint
from sealwright.errors import LogVerificationError, NotFoundError
from sealwright.tlog.checkpoint import Checkpoint, sign_note
from sealwright.wire.api import BreaksAnswer

ORIGIN = "log.example.test"
KEY = Ed25519PrivateKey.generate()
STATEMENT = SimpleNamespace(log_origin=ORIGIN, log_key=KEY.public_key().public_bytes_raw())


def note(size, root=b"r" * 32):
    return sign_note(Checkpoint(ORIGIN, size, root), ORIGIN, KEY.sign, STATEMENT.log_key)


class Store:
    def __init__(self, checkpoint):
        self.state = SimpleNamespace(checkpoint=checkpoint, log_break=0)

    def update(self, changes):
        raise AssertionError("nothing may be remembered")


class RestoredServer:
    """A server whose log never had the size that the device has seen."""

    def get(self, path, answer_type):
        if answer_type is BreaksAnswer:
            return BreaksAnswer(breaks=())
        raise NotFoundError("the log does not have these sizes")


def test_a_restored_log_is_a_verification_error_that_says_so():
    with pytest.raises(LogVerificationError, match="restored from an old backup"):
        remember_checkpoint(note(7), Store(note(9)), RestoredServer(), STATEMENT)


def test_two_roots_of_one_size_are_a_fork():
    with pytest.raises(LogVerificationError, match="forked"):
        remember_checkpoint(note(9, b"s" * 32), Store(note(9)), RestoredServer(), STATEMENT)
