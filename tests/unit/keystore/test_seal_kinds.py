"""Every kind of seal over the real processes: opened, closed, changed into every other kind; nothing that is sealed is lost."""

import json
import os
import signal
import time
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from support.certificates import rsa_key, self_signed
from support.seals import seal_options
from support.soft_hsm import PIN, make_token

from sealwright.cms.decryptors import PrivateKeyDecryptor
from sealwright.cms.enveloped import decrypt
from sealwright.errors import (
    ConfigurationError,
    ConflictError,
    DecodingError,
    DecryptionError,
    InputError,
    PermissionDeniedError,
    SealedError,
    VerificationError,
)
from sealwright.keystore import seal_change
from sealwright.keystore.hsm import ask_hsm
from sealwright.keystore.keeper import ENTRY_SECONDS, SealKeeper
from sealwright.keystore.pool import PooledKeystore, open_keystore
from sealwright.keystore.seal import recover_storage_keys
from sealwright.keystore.seal_creation import SealPlan, create
from sealwright.wire.hpke import generate_hpke_key_pair
from sealwright.wire.seal import ChangeRequest, SealEntry, SealTarget, open_new_shares, seal_entry

ORGANIZATION = "a" * 32
TARGETS = {
    "key-file": SealTarget(part="root", kind="key-file"),
    "shamir": SealTarget(part="root", kind="shamir", shares=3, threshold=2),
    "pkcs11": SealTarget(part="root", kind="pkcs11"),
}


class Place:
    """Where a seal of any kind can lie."""

    def __init__(self, folder, monkeypatch):
        environment, self.hsm, self.pin_file = make_token(folder / "hsm")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        (folder / "seal").mkdir()
        self.files = folder / "root.key", folder / "seal" / "seal.json"
        self.options = msgspec.structs.replace(seal_options(*self.files), hsm=self.hsm, pin_file=str(self.pin_file))
        self.pair = generate_hpke_key_pair()
        self.made = None

    def create(self, kind):
        plan = SealPlan(kind, 3, 2, 3, 2) if kind == "shamir" else SealPlan(kind, 0, 0, 3, 2)
        self.made = create(self.options, plan)

    def start(self):
        return PooledKeystore(self.options, 1)

    def request(self, target, **options):
        return ChangeRequest(target=target, reply_key=self.pair.public_key, **options)

    def take(self, keystore):
        return [share.text for share in open_new_shares(self.pair.private_key, keystore.take_new_shares())]


def enter(keystore, share="", pin=""):
    return keystore.enter(seal_entry(keystore.seal_status().entry_key, SealEntry(share=share, pin=pin)))


def unseal(keystore, shares):
    for share in shares[:2]:
        if not keystore.is_open():
            enter(keystore, share)
    assert keystore.is_open()


def change(place, keystore, target, shares):
    """Carry a change out from begin to end; return the operator shares of the seal afterwards."""
    status = keystore.begin_change(ORGANIZATION, place.request(target), None)
    for share in shares[:2]:
        status = enter(keystore, share)
    new = []
    if status.change is not None:
        new = place.take(keystore)
        for share in new:
            assert status.change.state == "confirming"
            status = enter(keystore, share)
    assert status.change is None
    return new


@pytest.fixture
def place(tmp_path, monkeypatch):
    return Place(tmp_path, monkeypatch)


@pytest.mark.parametrize("after", TARGETS)
@pytest.mark.parametrize("before", TARGETS)
def test_a_seal_of_any_kind_becomes_any_other_and_nothing_is_lost(place, before, after):
    place.create(before)
    shares = place.made.operator
    keystore = place.start()
    try:
        unseal(keystore, shares)
        record = keystore.seal_secret(ORGANIZATION, "p", "d" * 32, b"secret")
        derived = keystore.derive_secret(ORGANIZATION, "nonces")
        old_file = place.files[1].read_bytes()
        shares = change(place, keystore, TARGETS[after], shares)
        assert keystore.rotate_storage_key() == 2
        newer = keystore.seal_secret(ORGANIZATION, "p", "e" * 32, b"newer")
    finally:
        keystore.close()
    # a fresh start opens it in the new way, and only so
    keystore = place.start()
    try:
        status = keystore.seal_status()
        assert (status.kind, status.number, status.state) == (after, 1, "sealed" if after == "shamir" else "open")
        unseal(keystore, shares)
        assert (keystore.open_secret(record), keystore.open_secret(newer)) == (b"secret", b"newer")
        assert keystore.derive_secret(ORGANIZATION, "nonces") == derived
    finally:
        keystore.close()
    assert place.files[0].exists() == (after == "key-file")
    assert not place.files[0].with_name("root.key.new").exists()
    # the old way is over: the key file, the shares and the HSM's key of before open nothing
    place.files[1].write_bytes(old_file)
    keystore = place.start()
    try:
        if before == "shamir":
            assert (
                enter(keystore, place.made.operator[0]).state == "sealed"
            )  # an old file and old shares: kept apart by people
        else:
            assert keystore.seal_status().state == "sealed"
    finally:
        keystore.close()
    # the emergency shares stay good, over every version
    assert sorted(recover_storage_keys(place.made.emergency[1:], place.files[1])) == [0, 1]


def test_another_emergency_key_ends_the_old_shares(place):
    place.create("pkcs11")
    keystore = place.start()
    try:
        target = SealTarget(part="emergency", kind="pkcs11", shares=3, threshold=2)
        new = change(place, keystore, target, [])
        keystore.rotate_storage_key()
    finally:
        keystore.close()
    assert sorted(recover_storage_keys(new[:2], place.files[1])) == [0, 1, 2]
    with pytest.raises(VerificationError):
        recover_storage_keys(place.made.emergency, place.files[1])


def test_a_sealed_keystore_does_nothing_until_enough_different_people_entered_their_shares(place):
    place.create("shamir")
    keystore = place.start()
    try:
        for call in (
            lambda: keystore.derive_secret(ORGANIZATION, "p"),
            lambda: keystore.generate_encryption_key(ORGANIZATION, "p256"),
            keystore.rotate_storage_key,
            lambda: keystore.begin_change(ORGANIZATION, place.request(TARGETS["key-file"]), None),
        ):
            with pytest.raises(SealedError):
                call()
        assert keystore.process_ids() == []
        first, second, third = place.made.operator
        assert enter(keystore, third).entered == (3,)
        assert enter(keystore, third).state == "sealed"
        for wrong, kind in (
            (place.made.emergency[0], VerificationError),
            (first[:20] + ("A" if first[20] != "A" else "B") + first[21:], DecodingError),
            ("", DecodingError),
            (create_elsewhere(place), VerificationError),
        ):
            with pytest.raises(kind):
                enter(keystore, wrong)
        with pytest.raises(ConflictError):
            enter(keystore, pin="1234")
        status = enter(keystore, first.lower())
        assert (status.state, status.entered) == ("open", (1, 3))
        assert len(keystore.derive_secret(ORGANIZATION, "p")) == 32
        with pytest.raises(ConflictError):
            enter(keystore, second)
    finally:
        keystore.close()


def create_elsewhere(place):
    other = msgspec.structs.replace(place.options, seal_file=str(place.files[1].with_name("other.json")))
    return create(other, SealPlan("shamir", 3, 2, 1, 1)).operator[0]


def test_what_is_entered_is_sealed_to_this_very_process(place):
    place.create("shamir")
    keystore = place.start()
    try:
        old = seal_entry(keystore.seal_status().entry_key, SealEntry(share=place.made.operator[0]))
        keystore.seal()
        with pytest.raises(DecryptionError):
            keystore.enter(old)
        with pytest.raises(InputError):
            keystore.enter(bytes(9000))
        assert keystore.seal_status().entered == ()
    finally:
        keystore.close()


@pytest.mark.parametrize("kind", TARGETS)
def test_closing_ends_every_process_with_a_key_and_it_stays_closed(place, kind):
    place.create(kind)
    keystore = place.start()
    try:
        unseal(keystore, place.made.operator)
        record = keystore.seal_secret(ORGANIZATION, "p", "d" * 32, b"secret")
        workers = keystore.process_ids()
        assert workers
        keystore.seal()
        assert not keystore.is_open()
        assert not [process for process in workers if Path(f"/proc/{process}").exists()]
        with pytest.raises(SealedError):
            keystore.open_secret(record)
        kill_seal_process(keystore)
        assert keystore.seal_status().state == "sealed"  # a crash of the closed seal does not open it
        if kind == "shamir":
            assert keystore.unseal().state == "sealed"
        else:
            assert keystore.unseal().state == "open"
        unseal(keystore, place.made.operator)
        assert keystore.open_secret(record) == b"secret"
    finally:
        keystore.close()


def kill_seal_process(keystore):
    process = keystore._seal._process
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("kind", TARGETS)
def test_with_the_seal_process_every_key_is_gone(place, kind):
    place.create(kind)
    keystore = place.start()
    try:
        unseal(keystore, place.made.operator)
        workers = keystore.process_ids()
        kill_seal_process(keystore)
        deadline = time.monotonic() + 10
        while any(Path(f"/proc/{process}/exe").exists() for process in workers):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert keystore.is_open() == (kind != "shamir")  # it opens again by itself, or waits for people
        unseal(keystore, place.made.operator)
        for _ in range(3):
            try:
                assert len(keystore.derive_secret(ORGANIZATION, "p")) == 32
                break
            except SealedError:  # the first call may find its process gone
                continue
        else:
            pytest.fail("the keystore does not come back")
    finally:
        keystore.close()


def test_new_shares_are_confirmed_before_the_old_ones_end(place):
    place.create("shamir")
    keystore = place.start()
    try:
        unseal(keystore, place.made.operator)
        begun = keystore.begin_change(ORGANIZATION, place.request(TARGETS["shamir"]), None)
        assert (begun.change.state, begun.change.needed) == ("permitting", 2)
        with pytest.raises(ConflictError):
            keystore.take_new_shares()
        with pytest.raises(ConflictError):
            keystore.begin_change(ORGANIZATION, place.request(TARGETS["shamir"]), None)
        assert enter(keystore, place.made.operator[0]).change.permitted == (1,)
        assert enter(keystore, place.made.operator[0]).change.state == "permitting"
        assert enter(keystore, place.made.operator[1]).change.state == "confirming"
        new = place.take(keystore)
        with pytest.raises(ConflictError):
            keystore.take_new_shares()  # they are shown once
        with pytest.raises(ConflictError):
            enter(keystore, place.made.operator[2])
        enter(keystore, new[0])
        assert enter(keystore, new[0]).change.confirmed == (1,)
        enter(keystore, new[1])
        # whatever happens now, the old shares are good
        kill_seal_process(keystore)
        assert keystore.seal_status().change is None
        for share in new[:2]:
            with pytest.raises(VerificationError):
                enter(keystore, share)
        unseal(keystore, place.made.operator)
        assert keystore.seal_status().number == 0
    finally:
        keystore.close()


def test_shares_are_encrypted_to_officers(place):
    keys = [rsa_key() for _ in range(3)]
    people = [self_signed(key, f"officer {number}") for number, key in enumerate(keys)]
    certificates = tuple(certificate.public_bytes(Encoding.DER) for certificate in people)
    place.create("key-file")
    keystore = place.start()
    try:
        with pytest.raises(InputError):
            keystore.begin_change(ORGANIZATION, place.request(TARGETS["shamir"], certificates=certificates[:2]), None)
        keystore.begin_change(ORGANIZATION, place.request(TARGETS["shamir"], certificates=certificates), None)
        shares = open_new_shares(place.pair.private_key, keystore.take_new_shares())
        assert [share.text for share in shares] == ["", "", ""]
        for share, key in zip(shares, keys, strict=True):
            opened = decrypt(share.message, lambda _, own=key: [PrivateKeyDecryptor(own)])
            enter(keystore, opened.content.decode())
        assert (keystore.seal_status().kind, keystore.seal_status().number) == ("shamir", 1)
    finally:
        keystore.close()


@pytest.mark.parametrize(
    ("target", "error"),
    [
        (SealTarget(part="root", kind="shamir", shares=3, threshold=1), InputError),
        (SealTarget(part="root", kind="shamir", shares=2, threshold=3), ConfigurationError),
        (SealTarget(part="root", kind="key-file", shares=2, threshold=2), InputError),
        (SealTarget(part="emergency", kind="shamir", shares=2, threshold=2), InputError),
        (SealTarget(part="emergency", kind="key-file", shares=300, threshold=2), ConfigurationError),
    ],
)
def test_a_change_that_cannot_be_changes_nothing(place, target, error):
    place.create("key-file")
    keystore = place.start()
    try:
        before = place.files[1].read_bytes()
        with pytest.raises(error):
            keystore.begin_change(ORGANIZATION, place.request(target), None)
        assert keystore.seal_status().change is None
        assert place.files[1].read_bytes() == before
        assert len(keystore.derive_secret(ORGANIZATION, "p")) == 32
    finally:
        keystore.close()


def test_an_hsm_with_a_pin_that_people_enter(place):
    place.create("pkcs11")
    place.options = msgspec.structs.replace(place.options, pin_file="")
    with pytest.raises(SealedError):
        open_keystore(place.options, 1)
    keystore = place.start()
    try:
        assert (keystore.seal_status().state, keystore.seal_status().asks_pin) == ("sealed", True)
        with pytest.raises(SealedError, match="HSM"):
            enter(keystore, pin="wrong")
        stranger = seal_entry(keystore.seal_status().entry_key, SealEntry(pin=PIN))
        with pytest.raises(PermissionDeniedError):
            keystore.enter(stranger, is_at_server=False)
        assert enter(keystore, pin=PIN).state == "open"
        assert len(keystore.derive_secret(ORGANIZATION, "p")) == 32
    finally:
        keystore.close()


def test_an_hsm_that_does_not_help_is_told_with_its_reason(place):
    place.create("pkcs11")
    for options, words in (
        (msgspec.structs.replace(place.options, hsm=msgspec.structs.replace(place.hsm, token="other")), "token"),
        (msgspec.structs.replace(place.options, hsm=msgspec.structs.replace(place.hsm, module="/none.so")), "loaded"),
        (msgspec.structs.replace(place.options, hsm=None), "pkcs11_module"),
        (msgspec.structs.replace(place.options, pin_file="/nowhere"), "PIN"),
    ):
        keystore = PooledKeystore(options, 1)
        try:
            status = keystore.seal_status()
            assert status.state == "sealed"
            assert words in status.problem
        finally:
            keystore.close()
    seal = json.loads(place.files[1].read_text())
    key_id = msgspec.convert(seal["root"]["key_id"], bytes)
    ask_hsm(place.hsm, PIN, "destroy", key_id)
    with pytest.raises(SealedError, match="does not have the key"):
        open_keystore(place.options, 1)
    place.pin_file.chmod(0o644)
    with pytest.raises(SealedError, match="0600"):
        open_keystore(place.options, 1)


class Clock:
    def __init__(self):
        self.time = 10_000.0

    def __call__(self):
        return self.time


def test_what_nobody_goes_on_with_is_forgotten(place):
    place.create("shamir")
    clock = Clock()
    keeper = SealKeeper(place.options, lambda *_: None, clock)

    def give(share):
        return keeper.enter(seal_entry(keeper.status().entry_key, SealEntry(share=share)), True)

    assert give(place.made.operator[0]).entered == (1,)
    clock.time += ENTRY_SECONDS + 1
    assert keeper.status().entered == ()
    for share in place.made.operator[:2]:
        give(share)
    keeper.begin_change(ORGANIZATION, place.request(TARGETS["key-file"]), None)
    clock.time += ENTRY_SECONDS + 1
    assert keeper.status().change is None
    assert keeper.status().state == "open"


def test_a_change_to_a_key_file_is_ended_by_the_next_start_wherever_it_was_cut_off(place, monkeypatch):
    place.create("key-file")
    old_key = place.files[0].read_bytes()
    following = place.files[0].with_name("root.key.new")
    # 1 cut off before the seal file was written: the old key opens, the new one is removed
    keeper = SealKeeper(place.options, lambda *_: None)
    keeper.open_by_itself()
    keeper.begin_change(ORGANIZATION, place.request(TARGETS["key-file"]), None)
    assert following.exists()
    again = SealKeeper(place.options, lambda *_: None)
    assert again.open_by_itself().state == "open"
    assert place.files[0].read_bytes() == old_key
    keeper.commit_change()  # whoever looked meanwhile took nothing away from the one that changes it
    assert (following.exists(), place.files[0].read_bytes() == old_key) == (False, False)
    again = SealKeeper(place.options, lambda *_: None)
    assert again.open_by_itself().state == "open"
    old_key = place.files[0].read_bytes()
    # 2 cut off after it: the new key opens and takes the old one's place
    again.begin_change(ORGANIZATION, place.request(TARGETS["key-file"]), None)
    monkeypatch.setattr(seal_change.PendingChange, "destroy_old", lambda _: None)
    again.commit_change()
    assert following.exists()
    third = SealKeeper(place.options, lambda *_: None)
    assert third.open_by_itself().state == "open"
    assert (following.exists(), place.files[0].read_bytes() == old_key) == (False, False)


def test_a_change_is_done_even_if_the_old_key_cannot_be_destroyed_and_says_so(place):
    place.create("pkcs11")
    keeper = SealKeeper(place.options, lambda *_: None)
    assert keeper.open_by_itself().state == "open"
    root = json.loads(place.files[1].read_text())["root"]
    ask_hsm(place.hsm, PIN, "destroy", msgspec.convert(root["key_id"], bytes))
    keeper.begin_change(ORGANIZATION, place.request(TARGETS["key-file"]), None)
    status = keeper.commit_change()
    assert (status.kind, status.state, status.number) == ("key-file", "open", 1)
    assert "still there" in status.problem
    assert SealKeeper(place.options, lambda *_: None).open_by_itself().state == "open"
