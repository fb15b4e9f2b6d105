"""Protection password, enrolment secret and approval, as the keystore judges them: right ones, and every wrong one."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from support.release_evidence import MAILBOX, NOW, ORGANIZATION, answer_for, binding, make_device
from support.seals import key_file_seal, software_keystore

from sealwright.errors import (
    AuthenticationError,
    DecodingError,
    InputError,
    PermissionDeniedError,
    RateLimitedError,
    SealedError,
    VerificationError,
)
from sealwright.keystore import factors as rules
from sealwright.keystore.guesses import GuessLimit
from sealwright.keystore.model import FactorEvidence
from sealwright.wire.factors import DeviceApproval, NewPassword, factor_info, normal_secret, password_verifier
from sealwright.wire.hpke import hpke_seal

RIGHT, WRONG, NEW = b"r" * 32, b"w" * 32, b"n" * 32


class Clock:
    time = NOW

    def now(self):
        return self.time


class World:
    """A mailbox with devices, over the real keystore; Argon2id with little memory."""

    def __init__(self, folder, clock):
        key_file_seal(folder / "seal.key", folder / "seal.json", shares=1, threshold=1)
        self.files, self.clock = (folder / "seal.key", folder / "seal.json"), clock
        self.restart()
        self.keystore.generate_service_key(ORGANIZATION, "release", "ed25519")
        self.public_key = self.keystore.import_public_key(ORGANIZATION).public_key

    def restart(self):
        self.keystore = software_keystore(*self.files, clock=self.clock)

    def enrol(self, device_id, mailbox=MAILBOX):
        device = make_device()
        begun = self.keystore.begin_proof(binding(device, mailbox))
        return device, self.keystore.finish_proof(begun.sealed_proof, answer_for(device, begun), device_id, NOW)

    def sealed(self, device, kind, content, mailbox=MAILBOX):
        return hpke_seal(self.public_key, factor_info(ORGANIZATION, mailbox, device.public.thumbprint(), kind), content)

    def show(self, device, credential, kind, content, **evidence):
        said = FactorEvidence(kind=kind, sealed=self.sealed(device, kind, content), **evidence)
        return self.keystore.qualify_device(credential, said)

    def secret(self, mailbox=MAILBOX, days=7):
        return self.keystore.make_enrolment_secret(ORGANIZATION, mailbox, self.clock.time + timedelta(days=days))

    def with_password(self, device, credential):
        made = self.secret()
        wanted = NewPassword(RIGHT, secret=made.secret).encode()
        return self.show(device, credential, "new-password", wanted, secret=made.row)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def world(tmp_path, clock, monkeypatch):
    monkeypatch.setattr(rules, "_MEMORY_KIB", 64)
    return World(tmp_path, clock)


def test_a_password_is_set_with_a_secret_and_lets_the_next_device_in(world):
    first, credential = world.enrol("1" * 32)
    set_up = world.with_password(first, credential)
    assert (set_up.credential.level, credential.level) == (2, 1)
    assert set_up.password.identity.kind == "password"
    second, other = world.enrol("2" * 32)
    assert world.show(second, other, "password", RIGHT, password=set_up.password).credential.level == 2
    with pytest.raises(PermissionDeniedError):  # and never comes out as a secret of the web process
        world.keystore.open_secret(set_up.password)
    relabelled = replace(set_up.password, identity=replace(set_up.password.identity, kind="secret"))
    with pytest.raises(VerificationError):
        world.keystore.open_secret(relabelled)


def test_a_wrong_password_or_one_that_is_not_for_this_device_is_refused(world):
    first, credential = world.enrol("1" * 32)
    record = world.with_password(first, credential).password
    second, other = world.enrol("2" * 32)
    with pytest.raises(AuthenticationError, match="not right"):
        world.show(second, other, "password", WRONG, password=record)
    stolen = world.sealed(first, "password", RIGHT)  # what the first device sent is no use to the second
    with pytest.raises(AuthenticationError, match="another device"):
        world.keystore.qualify_device(other, FactorEvidence(kind="password", sealed=stolen, password=record))
    as_secret = world.sealed(second, "secret", RIGHT)
    with pytest.raises(AuthenticationError):
        world.keystore.qualify_device(other, FactorEvidence(kind="password", sealed=as_secret, password=record))
    with pytest.raises(PermissionDeniedError, match="missing"):
        world.show(second, other, "password", RIGHT)
    with pytest.raises(InputError):
        world.keystore.qualify_device(other, FactorEvidence(kind="wish"))
    with pytest.raises(PermissionDeniedError):
        world.show(second, replace(other, level=2), "password", RIGHT, password=record)
    locked = world.keystore.change_device(other, "locked")
    with pytest.raises(PermissionDeniedError, match="not active"):
        world.show(second, locked, "password", RIGHT, password=record)


def test_an_old_password_that_is_put_back_is_refused(world):
    first, credential = world.enrol("1" * 32)
    old = world.with_password(first, credential)
    wanted = NewPassword(NEW, old=RIGHT).encode()
    changed = world.show(first, old.credential, "new-password", wanted, password=old.password)
    second, other = world.enrol("2" * 32)
    with pytest.raises(PermissionDeniedError, match="old one"):
        world.show(second, other, "password", RIGHT, password=old.password)
    assert world.show(second, other, "password", NEW, password=changed.password).credential.level == 2


def test_a_password_is_not_set_without_old_one_secret_or_sign_on(world):
    first, credential = world.enrol("1" * 32)
    for wanted in (NewPassword(NEW), NewPassword(NEW, old=RIGHT), NewPassword(NEW, secret="A" * 20)):
        with pytest.raises((PermissionDeniedError, AuthenticationError)):
            world.show(first, credential, "new-password", wanted.encode())
    record = world.with_password(first, credential).password
    second, other = world.enrol("2" * 32)
    for wanted, kind in ((NewPassword(NEW), PermissionDeniedError), (NewPassword(NEW, old=WRONG), AuthenticationError)):
        with pytest.raises(kind):
            world.show(second, other, "new-password", wanted.encode(), password=record)
    for garbage in (b"", b"x", NewPassword(b"short").encode(), NewPassword(NEW, old=b"short").encode()):
        with pytest.raises(DecodingError):
            world.show(second, other, "new-password", garbage, password=record)


def test_guesses_are_limited_across_restarts_and_processes_and_no_enrolled_device_is_kept_out(world, clock):
    first, credential = world.enrol("1" * 32)
    set_up = world.with_password(first, credential)
    second, other = world.enrol("2" * 32)
    for _ in range(5):
        with pytest.raises(AuthenticationError):
            world.show(second, other, "password", WRONG, password=set_up.password)
        world.restart()
    for guess in (WRONG, RIGHT):  # the right one tells nothing either
        with pytest.raises(RateLimitedError):
            world.show(second, other, "password", guess, password=set_up.password)
    with pytest.raises(RateLimitedError):
        world.show(second, other, "new-password", NewPassword(NEW, old=RIGHT).encode(), password=set_up.password)
    world.keystore._access.check_device(set_up.credential)  # who is in stays in
    clock.time += timedelta(hours=1, seconds=1)
    for _ in range(5):
        with pytest.raises(AuthenticationError):
            world.show(second, other, "password", WRONG, password=set_up.password)
    clock.time += timedelta(hours=1, seconds=1)
    with pytest.raises(RateLimitedError):  # ten a day
        world.show(second, other, "password", RIGHT, password=set_up.password)
    made = world.secret()
    reset = NewPassword(NEW, secret=made.secret).encode()
    again = world.show(second, other, "new-password", reset, secret=made.row)
    third, newest = world.enrol("3" * 32)
    assert world.show(third, newest, "password", NEW, password=again.password).credential.level == 2


def test_a_damaged_count_lets_nobody_guess(tmp_path):
    limit = GuessLimit(tmp_path)
    limit.count(ORGANIZATION, MAILBOX, NOW)
    for path in tmp_path.iterdir():
        if not path.name.endswith(".lock"):
            path.write_bytes(b"damaged")
    with pytest.raises(SealedError):
        limit.count(ORGANIZATION, MAILBOX, NOW)


def test_a_secret_lets_one_device_in_once(world):
    first, credential = world.enrol("1" * 32)
    made = world.secret()
    assert made.secret not in repr(made)
    typed = f"{made.secret[:10].lower()}-{made.secret[10:]} ".encode()
    in_now = world.show(first, credential, "secret", typed, secret=made.row).credential
    assert in_now.level == 3
    again = world.show(first, credential, "secret", made.secret.encode(), secret=made.row)  # it lost the answer
    assert again.credential == in_now
    with pytest.raises(AuthenticationError):
        world.show(first, in_now, "secret", made.secret.encode(), secret=made.row)
    with pytest.raises(AuthenticationError):
        world.show(first, in_now, "new-password", NewPassword(NEW, secret=made.secret).encode(), secret=made.row)
    second, other = world.enrol("2" * 32)
    world.restart()
    with pytest.raises(AuthenticationError):
        world.show(second, other, "secret", made.secret.encode(), secret=made.row)


def test_a_wrong_old_late_or_foreign_secret_is_refused(world, clock):
    first, credential = world.enrol("1" * 32)
    replaced, made, foreign = world.secret(), world.secret(), world.secret("c" * 32)
    for shown, row in (
        (b"A" * 20, made.row),
        (b"\xff", made.row),
        (b"", made.row),
        (made.secret.encode(), None),
        (replaced.secret.encode(), replaced.row),
        (foreign.secret.encode(), foreign.row),
        (foreign.secret.encode(), replace(foreign.row, row_id=MAILBOX)),
        (made.secret.encode(), replace(made.row, version=9)),
    ):
        with pytest.raises((AuthenticationError, PermissionDeniedError)):
            world.show(first, credential, "secret", shown, secret=row)
    clock.time += timedelta(days=7, seconds=1)
    with pytest.raises(AuthenticationError, match="expired"):
        world.show(first, credential, "secret", made.secret.encode(), secret=made.row)
    for days in (0, -1, 31):
        with pytest.raises(InputError):
            world.secret(days=days)


def approval(world, device, credential, approver_device, approver, **change):
    said = {
        "organization_id": ORGANIZATION,
        "mailbox_id": credential.mailbox_id,
        "device_id": credential.device_id,
        "thumbprint": device.public.thumbprint(),
        "approver": approver_device.public.thumbprint(),
        "signed_at": world.clock.time,
    }
    signed = DeviceApproval(**{**said, **change})
    signature = approver_device.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256()))
    return FactorEvidence(kind="approval", approver=approver, signed_at=signed.signed_at, signature=signature)


def test_an_approved_device_approves_another_and_nobody_else_does(world, clock):
    first, credential = world.enrol("1" * 32)
    second, other = world.enrol("2" * 32)
    with pytest.raises(
        PermissionDeniedError, match="never approved"
    ):  # a mail thief's device does not help his next one
        world.keystore.qualify_device(other, approval(world, second, other, first, credential))
    made = world.secret()
    approver = world.show(first, credential, "secret", made.secret.encode(), secret=made.row).credential
    foreign_device, foreign = world.enrol("4" * 32, "c" * 32)
    good = approval(world, second, other, first, approver)
    for wrong in (
        FactorEvidence(kind="approval"),
        replace(good, signature=b""),
        replace(good, approver=replace(foreign, level=3)),
        replace(good, approver=credential),
        replace(good, signed_at=clock.time + timedelta(seconds=1)),
        approval(world, second, other, first, approver, thumbprint=first.public.thumbprint()),
        approval(world, second, other, first, approver, device_id="9" * 32),
        approval(world, second, other, first, approver, mailbox_id="c" * 32),
        approval(world, second, other, first, approver, signed_at=clock.time - timedelta(minutes=15, seconds=1)),
        approval(world, second, other, first, approver, signed_at=clock.time + timedelta(minutes=3)),
        approval(world, second, other, foreign_device, approver),
        approval(world, second, other, foreign_device, foreign),
        approval(world, second, other, second, other),
    ):
        with pytest.raises(PermissionDeniedError):
            world.keystore.qualify_device(other, wrong)
    assert world.keystore.qualify_device(other, good).credential.level == 3
    third, newest = world.enrol("3" * 32)
    locked = world.keystore.change_device(approver, "locked")
    for row in (approver, locked):
        with pytest.raises(PermissionDeniedError):
            world.keystore.qualify_device(newest, approval(world, third, newest, first, row))


def test_what_the_device_derives_is_bound_to_organization_and_address():
    verifier = password_verifier(ORGANIZATION, "alice@example.test", "grüne Wiese 7")
    assert verifier == password_verifier(ORGANIZATION, "alice@example.test", "gru\u0308ne Wiese 7")
    others = (("b" * 32, "alice@example.test"), (ORGANIZATION, "bob@example.test"))
    assert all(password_verifier(*other, "grüne Wiese 7") != verifier for other in others)
    for password in ("short", "x" * 257):
        with pytest.raises(InputError):
            password_verifier(ORGANIZATION, "alice@example.test", password)
    for text in ("", "A" * 19, "A" * 19 + "0", "A" * 21):
        with pytest.raises(InputError):
            normal_secret(text)
