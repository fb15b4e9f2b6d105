"""Signed requests, DPoP proofs, opened leaves and the problem table: what is right passes, each change is refused."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from sealwright import errors
from sealwright.errors import AuthenticationError, InputError, LogVerificationError, SealwrightError
from sealwright.tlog.checkpoint import Checkpoint, sign_note
from sealwright.tlog.leaf import LeafRecord, commit
from sealwright.tlog.tree import leaf_hash, node_hash
from sealwright.wire.api import LeafOpening
from sealwright.wire.dpop import make_proof, verify_proof
from sealwright.wire.encoding import b64u_decode, b64u_encode, sha256
from sealwright.wire.leaf_check import check_leaf
from sealwright.wire.problems import PROBLEMS, error_from, problem_for
from sealwright.wire.signed_request import sign_request, verify_request

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
URI = "https://kms.example.test/v1/releases"
ARGUMENTS = ("POST", URI, b"body", NOW, "nonce-1")


def lower(headers):
    return {name.lower(): value for name, value in headers.items()}


@pytest.mark.parametrize("idempotency_key", [None, "retry-1"])
def test_a_signed_request_comes_back(idempotency_key):
    headers = lower(sign_request(KEY, *ARGUMENTS, idempotency_key))
    signature = verify_request(KEY.public_key(), "POST", URI, headers, b"body")
    assert (signature.created, signature.nonce, signature.idempotency_key) == (NOW, "nonce-1", idempotency_key)


def test_every_change_to_a_signed_request_is_refused():
    headers = lower(sign_request(KEY, *ARGUMENTS, "retry-1"))
    changed = [
        (OTHER, "POST", URI, headers, b"body"),
        (KEY, "PUT", URI, headers, b"body"),
        (KEY, "POST", URI + "?x", headers, b"body"),
        (KEY, "POST", URI + '\n"content-digest": x', headers, b"body"),
        (KEY, "POST", URI, headers, b"bodY"),
        (KEY, "POST", URI, {**headers, "idempotency-key": '"retry-2"'}, b"body"),
    ]
    changed += [
        (KEY, "POST", URI, {name: value for name, value in headers.items() if name != left_out}, b"body")
        for left_out in headers
    ]
    for old, new in (("nonce-1", "nonce-2"), ("created=1", "created=2"), ("sealwright", "other"), ("sig1", "sig2")):
        replaced = {name: value.replace(old, new, 1) for name, value in headers.items()}
        changed.append((KEY, "POST", URI, replaced, b"body"))
    for key, *request in changed:
        with pytest.raises(AuthenticationError):
            verify_request(key.public_key(), *request)
    bare = lower(sign_request(KEY, *ARGUMENTS, None))
    with pytest.raises(AuthenticationError):
        verify_request(KEY.public_key(), "POST", URI, {**bare, "idempotency-key": '"added"'}, b"body")


def test_what_cannot_be_signed_unambiguously_is_not_signed():
    for method, uri, nonce, key in (
        ("post", URI, "n", None),
        ("POST", URI + "\n", "n", None),
        ("POST", "https://ä.test/", "n", None),
        ("POST", URI, 'n"', None),
        ("POST", URI, "n", 'k"'),
        ("POST", URI, "n", "k\n"),
    ):
        with pytest.raises(InputError):
            sign_request(KEY, method, uri, b"", NOW, nonce, key)


@given(st.dictionaries(st.sampled_from(["content-digest", "signature-input", "signature"]), st.text()), st.text())
def test_arbitrary_headers_are_refused_and_nothing_else(headers, uri):
    with pytest.raises(AuthenticationError):
        verify_request(KEY.public_key(), "POST", uri, headers, b"")


def test_a_dpop_proof_is_for_one_method_address_and_token():
    proof = verify_proof(make_proof(KEY, "POST", URI + "?a=1#f", "token", None, NOW), "POST", URI, "token", NOW)
    spki = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert proof.spki_sha256 == sha256(spki)
    assert proof.nonce is None
    jwt = make_proof(KEY, "POST", URI, "token", None, NOW)
    assert verify_proof(jwt, "POST", "HTTPS://KMS.example.test:443/v1/releases", "token", NOW).jti != proof.jti
    for arguments in (
        ("GET", URI, "token", NOW),
        ("POST", URI + "/x", "token", NOW),
        ("POST", URI, "other", NOW),
        ("POST", URI, None, NOW),
        ("POST", URI, "token", NOW + timedelta(seconds=301)),
        ("POST", URI, "token", NOW - timedelta(seconds=301)),
    ):
        with pytest.raises(AuthenticationError):
            verify_proof(jwt, *arguments)
    with pytest.raises(AuthenticationError):
        verify_proof(make_proof(KEY, "POST", URI, None, None, NOW), "POST", URI, "token", NOW)


def test_a_server_nonce_stands_for_the_clock():
    jwt = make_proof(KEY, "GET", URI, None, "server-nonce", NOW - timedelta(days=3000))
    assert verify_proof(jwt, "GET", URI, None, NOW).nonce == "server-nonce"


@pytest.mark.parametrize(
    "change",
    [
        {"alg": "none"},
        {"typ": "JWT"},
        {"crit": ["x"]},
        {"crit": None},
        {"jwk": {"d": "AA"}},
        {"jwk": {"x": "AA"}},
        {"jwk": {"kty": "RSA"}},
        {"jwk": {"crv": "P-384"}},
    ],
)
def test_a_dpop_header_has_one_form(change):
    head, claims, _ = make_proof(KEY, "GET", URI, None, None, NOW).split(".")
    header = json.loads(b64u_decode(head))
    jwk = {**header["jwk"], **change.get("jwk", {})}
    signed = f"{b64u_encode(json.dumps({**header, **change, 'jwk': jwk}).encode())}.{claims}"
    with pytest.raises(AuthenticationError):
        verify_proof(resign(signed), "GET", URI, None, NOW)
    assert verify_proof(resign(f"{head}.{claims}"), "GET", URI, None, NOW)


def resign(signed):
    numbers = decode_dss_signature(KEY.sign(signed.encode(), ec.ECDSA(SHA256())))
    return f"{signed}.{b64u_encode(b''.join(number.to_bytes(32, 'big') for number in numbers))}"


@given(st.text(max_size=60), st.binary(max_size=60), st.binary(max_size=60))
def test_arbitrary_text_is_no_proof(text, first, second):
    for jwt in (text, f"{b64u_encode(first)}.{b64u_encode(second)}.{b64u_encode(bytes(64))}"):
        with pytest.raises(AuthenticationError):
            verify_proof(jwt, "GET", URI, None, NOW)


def test_a_leaf_is_believed_only_with_commitment_and_proof():
    log_key = ed25519.Ed25519PrivateKey.generate()
    public = log_key.public_key().public_bytes_raw()
    record = LeafRecord("key.create", "a" * 32, "mailbox", 1, bytes(32), NOW, {})
    salt, sibling = b"s" * 32, b"x" * 32
    leaf = leaf_hash(commit(salt, record.encode()))
    note = sign_note(Checkpoint("log", 2, node_hash(leaf, sibling)), "log", log_key.sign, public)
    opening = LeafOpening(
        index=0, salt=salt, record=record.encode(), leaf_hash=leaf, tree_size=2, inclusion_proof=(sibling,)
    )
    assert check_leaf(opening, note, "log", public) == record
    for change in (
        {"index": 1},
        {"salt": b"t" * 32},
        {"salt": b""},
        {"record": record.encode() + b" "},
        {"leaf_hash": bytes(32)},
        {"tree_size": 3},
        {"inclusion_proof": ()},
    ):
        with pytest.raises(LogVerificationError):
            check_leaf(msgspec.structs.replace(opening, **change), note, "log", public)
    for arguments in (("", "log", public), (note, "other", public), (note, "log", bytes(32))):
        with pytest.raises(LogVerificationError):
            check_leaf(opening, *arguments)


def all_errors(kind=SealwrightError):
    return [kind, *(below for child in kind.__subclasses__() for below in all_errors(child))]


def test_every_error_is_in_the_table_and_comes_back_as_itself():
    own = [kind for kind in all_errors() if kind.__module__ == errors.__name__]
    assert set(own) == {*PROBLEMS, SealwrightError}
    for kind in own:
        problem = problem_for(kind("what happened"))
        back = error_from(json.loads(msgspec.json.encode(problem)))
        assert type(back) is kind
        assert back.message == "what happened"
    limited = error_from(msgspec.to_builtins(problem_for(errors.RateLimitedError("slow down", 7))))
    assert limited.retry_after_seconds == 7


def test_a_foreign_exception_tells_nothing():
    problem = problem_for(ValueError("secret"))
    assert (problem.status, "secret" in problem.detail) == (500, False)


json_values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=3)


@given(st.dictionaries(st.sampled_from(["type", "title", "status", "detail", "retry_after"]), json_values))
def test_any_object_becomes_an_error(problem):
    assert isinstance(error_from(problem), SealwrightError)


def test_an_unknown_type_is_read_by_its_status():
    assert type(error_from({"type": "about:blank", "status": 403, "detail": "no"})) is errors.PermissionDeniedError
    assert type(error_from({"status": 502})) is errors.UnavailableError
    assert "\x1b" not in error_from({"status": 400, "detail": "\x1b[31mred"}).message
