"""Timestamps of a real authority (`openssl ts`), over HTTP, into a signature and out of it again."""

import json
import shutil

import pytest
from support import command_line
from support.certificates import NOW, ec_key, self_signed
from support.timestamp_authority import POLICY, TimestampAuthority, served

from sealwright.client.timestamps import fetch_timestamp, timestamp_signatures
from sealwright.cms import signed
from sealwright.cms.digests import SHA384, SHA512
from sealwright.cms.signers import PrivateKeySigner
from sealwright.cms.timestamp import examine_timestamp, parse_timestamp_response, timestamp_request, verify_timestamp
from sealwright.cms.unsigned_attributes import TIMESTAMP_TOKEN, add_unsigned_attribute
from sealwright.errors import InputError, InvalidSignatureError, UnavailableError
from sealwright.net.http import HttpClient

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
CONTENT = b"a contract\r\n"
KEYS = ec_key(), ec_key()
SIGNERS = [PrivateKeySigner(self_signed(key, name), key) for key, name in zip(KEYS, ("alice", "bob"), strict=True)]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return TimestampAuthority(tmp_path_factory.mktemp("tsa"))


@pytest.fixture
def http():
    return HttpClient(allow_plain=True)


def test_every_signature_gets_a_timestamp(authority, http):
    message = signed.sign(CONTENT, SIGNERS, detached=False, signing_time=NOW)
    with served(authority.reply) as url:
        stamped, reports = timestamp_signatures(http, url, message)
    assert [report.is_intact for report in reports] == [True, True]
    verified = signed.verify(stamped, None)
    assert verified.certificates == signed.verify(message, None).certificates
    assert len(verified.signers) == 2
    for signer in verified.signers:
        (report,) = signer.timestamps
        assert (report.is_intact, report.problem, report.policy, report.digest) == (True, "", POLICY, "sha256")
        assert report.signer.certificate == authority.certificate  # for the path: purpose and trust
        assert report.certificates == (authority.certificate,)
        assert abs((report.gen_time - NOW).total_seconds()) < 3600
        authority.verify(report.token, signer.signature)


def test_a_timestamp_of_another_signature_is_reported_and_harms_nothing(authority):
    message = signed.sign(CONTENT, SIGNERS[:1], detached=False, signing_time=NOW)
    other = parse_timestamp_response(authority.reply(timestamp_request(b"another", nonce=1))).token
    stamped = add(message, other)
    (signer,) = signed.verify(stamped, None).signers
    assert [(each.is_intact, each.problem) for each in signer.timestamps] == [(False, "imprint")]
    (signer,) = signed.verify(add(stamped, b"\x30\x00"), None).signers
    assert sorted(each.problem for each in signer.timestamps) == ["imprint", "malformed"]


def add(message, token):
    (signer,) = signed.examine(message, None).signers
    return add_unsigned_attribute(message, signer.signature, TIMESTAMP_TOKEN, token)


def test_what_was_asked_is_what_was_answered(authority):
    response = parse_timestamp_response(authority.reply(timestamp_request(b"x", nonce=2**63, digest=SHA512)))
    report = verify_timestamp(response.token, b"x", nonce=2**63, policy=POLICY)
    assert (report.nonce, report.digest) == (2**63, "sha512")
    for message, nonce, policy in ((b"y", 2**63, POLICY), (b"x", 5, POLICY), (b"x", 2**63, POLICY + ".2")):
        with pytest.raises(InvalidSignatureError):
            verify_timestamp(response.token, message, nonce=nonce, policy=policy)
    other = parse_timestamp_response(authority.reply(timestamp_request(b"x", nonce=1, policy=POLICY + ".2")))
    assert verify_timestamp(other.token, b"x", nonce=1, policy=POLICY + ".2").policy == POLICY + ".2"


def test_what_nobody_signed_is_not_stamped(http):
    with pytest.raises(InputError):
        timestamp_signatures(http, "http://127.0.0.1:1/", signed.certificates_only([SIGNERS[0].certificate]))


def test_a_signed_file_is_stamped_by_the_command(authority, tmp_path):
    (tmp_path / "file.p7s").write_bytes(signed.sign(CONTENT, SIGNERS[:1], detached=True, signing_time=NOW))
    with served(authority.reply) as url:
        result = command_line.run(
            "timestamp", tmp_path / "file.p7s", "-o", tmp_path / "stamped", "--authority", url, "--json"
        )
    (said,) = json.loads(result.out)["timestamps"]
    (signer,) = signed.verify((tmp_path / "stamped").read_bytes(), CONTENT).signers
    (report,) = signer.timestamps
    assert (said["authority"], said["policy"], said["gen_time"]) == ("CN=tsa", POLICY, report.gen_time.isoformat())
    assert report.is_intact


def test_an_authority_that_refuses_or_lies(authority, http):
    # a digest that the authority does not take
    refusal = parse_timestamp_response(authority.reply(timestamp_request(b"x", nonce=1, digest=SHA384)))
    assert (refusal.status, refusal.token) == (2, None)
    replies = {
        UnavailableError: (lambda _: authority.reply(timestamp_request(b"x", nonce=1, digest=SHA384)), lambda _: b""),
        InvalidSignatureError: (
            lambda _: authority.reply(timestamp_request(b"x", nonce=1)),  # a recorded answer: another nonce
            lambda _: authority.reply(timestamp_request(b"another", nonce=1)),
        ),
    }
    for expected, lies in replies.items():
        for reply in lies:
            with served(reply) as url, pytest.raises(expected):
                fetch_timestamp(http, url, b"x")


def test_every_octet_of_a_token_counts(authority):
    token = parse_timestamp_response(authority.reply(timestamp_request(b"x", nonce=1))).token
    good = examine_timestamp(token, b"x", ())
    unprotected = 0
    for position in range(len(token)):
        changed = token[:position] + bytes([token[position] ^ 4]) + token[position + 1 :]
        report = examine_timestamp(changed, b"x", ())
        if report.is_intact:
            assert (report.gen_time, report.policy, report.serial_number) == (
                good.gen_time,
                good.policy,
                good.serial_number,
            )
            unprotected += 1
    assert unprotected < 20  # the outer version and digest list, which RFC 5652 does not sign
