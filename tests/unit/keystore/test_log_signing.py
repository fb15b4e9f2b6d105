"""The log's key signs what continues the newest checkpoint it signed, whoever asks, and nothing else."""

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key
from support.seals import key_file_seal, software_keystore

from sealwright.errors import ConflictError, PermissionDeniedError
from sealwright.tlog.checkpoint import Checkpoint
from sealwright.tlog.tree import EMPTY_ROOT, consistency_proof, leaf_hash, node_hash, root_hash

ORGANIZATION, ORIGIN = "a" * 32, "example.test/log"


class Tree:
    """A tree of as many leaves as wanted."""

    def __init__(self, seed):
        self.seed = seed

    def read(self, level, index):
        if level:
            return node_hash(self.read(level - 1, 2 * index), self.read(level - 1, 2 * index + 1))
        return leaf_hash(f"{self.seed} {index}".encode())

    def text(self, size, origin=ORIGIN, map_root=bytes(32)):
        return Checkpoint(origin, size, root_hash(size, self.read), map_root).encode()

    def proof(self, first, second):
        return consistency_proof(first, second, self.read)


class World:
    def __init__(self, folder):
        self.files = folder / "root.key", folder / "seal.json"
        key_file_seal(*self.files, 3, 2)
        self.keystore = software_keystore(*self.files)
        self.key = self.keystore.generate_service_key(ORGANIZATION, f"log/{ORIGIN}", "ed25519")
        self.tree = Tree("log")

    def sign(self, text, old, proof=()):
        signature = self.keystore.sign_checkpoint(self.key, text, old, proof)
        load_der_public_key(self.key.spki).verify(signature, text.encode())
        return signature


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def grown(world):
    """Return the text of a checkpoint of 5 leaves that was signed."""
    empty, text = Checkpoint(ORIGIN, 0, EMPTY_ROOT).encode(), world.tree.text(5)
    world.sign(empty, "")
    world.sign(text, empty)
    return text


def test_a_log_that_grows_is_signed_and_the_same_checkpoint_once_more_after_a_restart(world):
    old = grown(world)
    signature = world.sign(old, "whatever")
    again = software_keystore(*world.files)
    assert again.signed_checkpoint(ORGANIZATION) == old
    assert again.sign_checkpoint(world.key, old, "", ()) == signature
    world.sign(world.tree.text(9), old, world.tree.proof(5, 9))
    assert again.signed_checkpoint(ORGANIZATION) == world.tree.text(9)


def test_the_first_is_of_an_empty_log(world):
    with pytest.raises(PermissionDeniedError, match="continues"):
        world.sign(world.tree.text(5), "")


OTHER = Tree("fork")
LIES = {
    "a shorter log": lambda w: (w.tree.text(3), w.tree.proof(3, 5)),
    "a fork": lambda w: (OTHER.text(9), OTHER.proof(5, 9)),
    "a fork, with another's proof": lambda w: (OTHER.text(9), w.tree.proof(5, 9)),
    "no proof": lambda w: (w.tree.text(9), ()),
    "another root of the same size": lambda _: (OTHER.text(5), ()),
    "another map of the same size": lambda w: (w.tree.text(5, map_root=b"m" * 32), ()),
    "another log": lambda w: (w.tree.text(9, "example.org/log"), w.tree.proof(5, 9)),
    "no checkpoint": lambda _: (f"{ORIGIN}\nanything\n", ()),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_does_not_continue_is_refused(world, lie):
    old = grown(world)
    text, proof = LIES[lie](world)
    with pytest.raises(PermissionDeniedError):
        world.sign(text, old, proof)
    assert world.keystore.signed_checkpoint(ORGANIZATION) == old


def test_an_old_one_that_is_not_the_newest_any_more_is_a_conflict(world):
    old = grown(world)
    world.sign(world.tree.text(6), old, world.tree.proof(5, 6))
    with pytest.raises(ConflictError):
        world.sign(world.tree.text(7), old, world.tree.proof(5, 7))
    with pytest.raises(ConflictError):
        world.sign(Checkpoint(ORIGIN, 0, EMPTY_ROOT).encode(), "")


def test_another_key_and_a_plain_signature_are_refused(world):
    with pytest.raises(PermissionDeniedError):
        world.keystore.sign(world.key, "ed25519", world.tree.text(5).encode())
    other = world.keystore.generate_service_key(ORGANIZATION, "escrow", "ed25519")
    with pytest.raises(PermissionDeniedError):
        world.keystore.sign_checkpoint(other, Checkpoint(ORIGIN, 0, EMPTY_ROOT).encode(), "", ())
