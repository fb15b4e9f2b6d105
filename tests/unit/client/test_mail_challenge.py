import pytest

from sealwright.client.mail_challenge import find_challenge, parse_challenge
from sealwright.errors import DecodingError, VerificationError
from sealwright.wire.encoding import b64u_encode

ENROLMENT, DEVICE, PART1 = "ab" * 16, bytes(range(32)), bytes(32)


def mail(device=DEVICE, enrolment=ENROLMENT, extra=""):
    value = (
        f"v=1; enrolment={enrolment};\r\n part1={b64u_encode(PART1)};\r\n device={device.hex()}; domain=example.test"
    )
    return f"From: x@example.test\r\nX-Sealwright-Challenge: {value}\r\n{extra}\r\nhello\r\n".encode()


class FakeMailbox:
    def __init__(self, folders):
        self.folders = folders

    def inbox_and_junk(self):
        return tuple(self.folders)

    def find_by_header(self, folder, header, value):
        return [uid for uid, raw in self.folders[folder].items() if value.encode() in raw]

    def fetch(self, folder, uid):
        return self.folders[folder].get(uid)


def test_folded_header_is_read_and_junk_is_searched():
    assert parse_challenge(mail()).part1 == PART1
    mailbox = FakeMailbox({"INBOX": {1: mail(enrolment="cd" * 16)}, "Junk": {5: mail()}})
    assert find_challenge(mailbox, ENROLMENT, DEVICE, "example.test").enrolment_id == ENROLMENT


def test_another_devices_fingerprint_is_refused():
    mailbox = FakeMailbox({"INBOX": {1: mail(device=bytes(32))}})
    with pytest.raises(VerificationError):
        find_challenge(mailbox, ENROLMENT, DEVICE, "example.test")
    with pytest.raises(VerificationError):
        find_challenge(FakeMailbox({"INBOX": {1: mail()}}), ENROLMENT, DEVICE, "other.test")


def test_two_headers_are_no_challenge():
    with pytest.raises(DecodingError):
        parse_challenge(mail(extra="X-Sealwright-Challenge: v=1\r\n"))
