"""ID tokens: right ones, and every wrong one; the issuer's row."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey
from support.release_evidence import MAILBOX, ORGANIZATION, answer_for, binding, make_device
from support.seals import key_file_seal, software_keystore

from sealwright.errors import (
    ApprovalsMissingError,
    AuthenticationError,
    DecodingError,
    InputError,
    PermissionDeniedError,
)
from sealwright.keystore.model import FactorEvidence
from sealwright.keystore.sign_on import SignOn, check_id_token
from sealwright.wire.factors import factor_info, sign_on_nonce
from sealwright.wire.hpke import hpke_seal

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEY = ECKey.generate_key("P-256", parameters={"kid": "one"})
OTHER = ECKey.generate_key("P-256", parameters={"kid": "one"})
ADDRESS = "alice@example.test"
SETTING = SignOn(
    "https://login.example.test",
    "sealwright",
    "email",
    False,
    False,
    json.dumps(KeySet([KEY]).as_dict(private=False)).encode(),
)


def token(key=KEY, header=None, **change):
    seconds = int(NOW.timestamp())
    claims = {
        "iss": SETTING.issuer,
        "aud": SETTING.client_id,
        "iat": seconds,
        "exp": seconds + 300,
        "nonce": "n",
        "email": ADDRESS,
        **change,
    }
    said = {name: value for name, value in claims.items() if value is not None}
    head = {"alg": "ES256", "kid": "one"} | (header or {})
    return jwt.encode(head, said, key, algorithms=[head["alg"]]).encode()


def check(said, setting=SETTING, now=NOW):
    return check_id_token(said, setting, nonce="n", address=ADDRESS, now=now)


def test_a_right_token_counts():
    assert check(token())
    assert check(token(aud=["sealwright"], azp="sealwright", email="Alice@Example.test", email_verified=True))
    assert check(token(), now=NOW + timedelta(minutes=6))
    flow = replace(SETTING, device_flow=True)
    assert check(token(), flow)
    assert not check(token(nonce=None), flow)


@pytest.mark.parametrize(
    "wrong",
    [
        token(OTHER),
        token(iss="https://login.example.test/"),
        token(iss=None),
        token(aud="other"),
        token(aud=None),
        token(aud=["sealwright", "other"]),
        token(azp="other"),
        token(iat=None),
        token(exp=None),
        token(exp="never"),
        token(exp=int(NOW.timestamp()) - 121),
        token(iat=int(NOW.timestamp()) - 901),
        token(iat=int(NOW.timestamp()) + 121),
        token(nonce=None),
        token(nonce="m"),
        token(nonce=1),
        token(email="bob@example.test"),
        token(email=None),
        token(email=[ADDRESS]),
        token(email_verified=False),
        token(header={"kid": "two"}),
        b"",
        b"a.b.c",
        b"x" * 20000,
        token().rpartition(b".")[0] + b".",
        jwt.encode(
            {"alg": "HS256"}, {"iss": SETTING.issuer}, OctKey.import_key(SETTING.keys), algorithms=["HS256"]
        ).encode(),
    ],
)
def test_a_wrong_token_is_refused(wrong):
    with pytest.raises(AuthenticationError):
        check(wrong)


def test_what_is_no_setting_is_not_vouched_for():
    SETTING.check()
    assert SignOn.decode(SETTING.encode()) == SETTING
    secret = json.dumps({"keys": [OctKey.generate_key(256).as_dict(private=True)]}).encode()
    private = json.dumps({"keys": [KEY.as_dict(private=True)]}).encode()
    for change in (
        {"issuer": "http://login.example.test"},
        {"issuer": "https://löwe.test"},
        {"client_id": ""},
        {"claim": "e mail"},
        *(
            {"keys": keys}
            for keys in (b"", b"[]", b"{}", b'{"keys":[]}', b'{"keys":[1]}', secret, private, b" " * 70000)
        ),
    ):
        with pytest.raises(InputError):
            replace(SETTING, **change).check()
    for encoded in (
        b"",
        SETTING.encode() + b"x",
        SETTING.encode().replace(b"\x02\x00\x00", b"\x02\x00\x02"),
    ):
        with pytest.raises(DecodingError):
            SignOn.decode(encoded)


class Clock:
    def now(self):
        return NOW


@pytest.fixture
def keystore(tmp_path):
    key_file_seal(tmp_path / "seal.key", tmp_path / "seal.json", shares=1, threshold=1)
    made = software_keystore(tmp_path / "seal.key", tmp_path / "seal.json", clock=Clock())
    made.generate_service_key(ORGANIZATION, "release", "ed25519")
    return made


def enrol(keystore, device_id, mailbox=MAILBOX):
    device = make_device()
    begun = keystore.begin_proof(binding(device, mailbox))
    return device, keystore.finish_proof(begun.sealed_proof, answer_for(device, begun), device_id, NOW)


def show(keystore, device, credential, said, row):
    info = factor_info(ORGANIZATION, credential.mailbox_id, device.public.thumbprint(), "sign-on")
    sealed = hpke_seal(keystore.import_public_key(ORGANIZATION).public_key, info, said)
    return keystore.qualify_device(credential, FactorEvidence(kind="sign-on", sealed=sealed, sign_on=row)).credential


def nonce(device, credential):
    return sign_on_nonce(ORGANIZATION, credential.mailbox_id, credential.device_id, device.public.thumbprint())


def test_a_sign_on_raises_its_own_device_alone_to_level_4(keystore):
    row = keystore.vouch_sign_on(ORGANIZATION, SETTING, 0)
    first, credential = enrol(keystore, "1" * 32)
    said = token(nonce=nonce(first, credential))
    second, other = enrol(keystore, "2" * 32)
    with pytest.raises(AuthenticationError, match="another device"):
        show(keystore, second, other, said, row)
    for wrong in (None, replace(row, content=replace(SETTING, client_id="x").encode()), replace(row, kind="role")):
        with pytest.raises(PermissionDeniedError):
            show(keystore, first, credential, said, wrong)
    assert show(keystore, first, credential, said, row).level == 4


def test_a_token_without_nonce_counts_once(keystore):
    row = keystore.vouch_sign_on(ORGANIZATION, replace(SETTING, device_flow=True), 0)
    first, credential = enrol(keystore, "1" * 32)
    second, other = enrol(keystore, "2" * 32)
    said = token(nonce=None)
    assert show(keystore, first, credential, said, row).level == 4
    with pytest.raises(AuthenticationError, match="used"):
        show(keystore, second, other, said, row)


def test_another_issuer_needs_two_officers_and_new_keys_do_not(keystore):
    row = keystore.vouch_sign_on(ORGANIZATION, SETTING, 0)
    rotated = replace(SETTING, keys=json.dumps(KeySet([OTHER]).as_dict(private=False)).encode())
    for weaker in ({"issuer": "https://evil.test"}, {"client_id": "x"}, {"claim": "upn"}, {"device_flow": True}):
        with pytest.raises(ApprovalsMissingError):
            keystore.vouch_sign_on(ORGANIZATION, replace(SETTING, **weaker), row.version)
    newer = keystore.vouch_sign_on(ORGANIZATION, rotated, row.version)
    first, credential = enrol(keystore, "1" * 32)
    with pytest.raises(PermissionDeniedError, match="put back"):
        show(keystore, first, credential, token(nonce=nonce(first, credential)), row)
    assert show(keystore, first, credential, token(OTHER, nonce=nonce(first, credential)), newer).level == 4
    pinned = keystore.vouch_sign_on(ORGANIZATION, replace(rotated, pinned=True), newer.version)
    for weaker in (rotated, replace(SETTING, pinned=True)):
        with pytest.raises(ApprovalsMissingError):
            keystore.vouch_sign_on(ORGANIZATION, weaker, pinned.version)
