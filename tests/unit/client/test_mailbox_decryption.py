"""Decrypting a mailbox for good: nothing is lost, nothing is changed but the encryption, and a broken run goes on."""

import os
from mailbox import mbox

import pytest
from support.mail_people import NOW, MailRoot

from sealwright.client import mailbox_decryption
from sealwright.client.mailbox_decryption import Opener, decrypt_maildir, decrypt_mbox, local_kind
from sealwright.cms.signers import PrivateKeySigner
from sealwright.errors import ConflictError, InputError, VerificationError
from sealwright.smime.compose import Protection, protect
from sealwright.smime.decrypted import check_decrypted, decrypted_message
from sealwright.smime.verdict import judge_message

MESSAGE = (
    b"From: alice@example.test\r\nTo: bob@example.test\r\nSubject: Figures %d\r\nMessage-ID: <%d@example.test>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nLine one.\r\nFrom here on: 42.\r\n"
)
PLAIN = b"From: carol@example.test\nSubject: In clear\n\nNothing to see.\n"


@pytest.fixture(scope="module")
def people():
    root = MailRoot()
    return root, root.person("alice"), root.person("bob"), root.person("eve")


@pytest.fixture
def opener(people):
    root, _, bob, _ = people
    return Opener(bob.find_keys, root.trust())


def encrypted(people, number, *, reader=2):
    sender = people[1]
    signer = PrivateKeySigner(sender.certificate, sender.key, ())
    made = protect(
        MESSAGE % (number, number), signer, [people[reader].certificate], signing_time=NOW, protection=Protection()
    )
    return b"Received: by mx.example.test; now\r\n" + made


def silent(done, total):
    assert 0 < done <= total


def test_a_decrypted_message_says_the_same_and_its_signature_holds(people, opener):
    message = encrypted(people, 1)
    assert b"Figures" not in message
    clear = opener.without_encryption(message)
    before, after = (
        judge_message(message, opener.find_keys, opener.trust),
        judge_message(clear, lambda _: (), opener.trust),
    )
    assert after.summary.signature_valid
    assert after.summary.authentic_author == before.summary.authentic_author == "alice@example.test"
    assert after.headers.subject == "Figures 1"
    assert not after.summary.encrypted
    assert clear.startswith(b"Received: by mx.example.test")
    assert clear.count(b"\nSubject:") >= 1
    assert b"Subject: [...]" not in clear.partition(b"\r\n\r\n")[0]
    assert opener.without_encryption(clear) is None


def test_what_would_not_say_the_same_is_not_written(people, opener):
    message = encrypted(people, 1)
    before = judge_message(message, opener.find_keys, opener.trust)
    clear = decrypted_message(message, before)
    text = len(clear) // 2
    for changed in (
        clear[:text] + (b"A" if clear[text : text + 1] != b"A" else b"B") + clear[text + 1 :],
        clear.replace(b"Subject: Figures 1", b"Subject: Figures 2", 1),
        message,
        clear[: text + 4] + clear[text + 8 :],
    ):
        assert changed != clear
        with pytest.raises(VerificationError):
            check_decrypted(changed, before, judge_message(changed, lambda _: (), opener.trust))


def fill(folder, people):
    for name in ("cur", "new", "tmp"):
        (folder / name).mkdir(parents=True)
    first = encrypted(people, 1).replace(b"\r\n", b"\n")
    (folder / "cur" / f"1.M1.host,S={len(first)},W=9:2,S").write_bytes(first)
    (folder / "cur" / "2.M2.host:2,").write_bytes(PLAIN)
    (folder / "new" / "3.M3.host").write_bytes(encrypted(people, 3))
    (folder / "new" / "4.M4.host").write_bytes(encrypted(people, 4, reader=3))
    os.utime(folder / "cur" / f"1.M1.host,S={len(first)},W=9:2,S", (1000, 1000))
    return folder


def test_a_maildir_is_decrypted_in_place(tmp_path, people, opener):
    folder = fill(tmp_path / "mail", people)
    assert local_kind(folder) == "maildir"
    done = decrypt_maildir(folder, opener, silent)
    assert (done.decrypted, done.clear, [name for name, _ in done.kept]) == (2, 1, ["4.M4.host"])
    files = {path.name: path for path in [*(folder / "cur").iterdir(), *(folder / "new").iterdir()]}
    assert set(files) == {"1.M1.host:2,S", "2.M2.host:2,", "3.M3.host", "4.M4.host"}
    opened = judge_message(files["1.M1.host:2,S"].read_bytes(), lambda _: (), opener.trust)
    assert "Line one.\nFrom here on: 42." in (opened.body_text or "").replace("\r\n", "\n")
    assert b"\r\n" not in files["1.M1.host:2,S"].read_bytes()
    assert files["1.M1.host:2,S"].stat().st_mtime == 1000
    assert files["2.M2.host:2,"].read_bytes() == PLAIN
    assert opened.summary.signature_valid
    again = decrypt_maildir(folder, opener, silent)
    assert (again.decrypted, again.clear, len(again.kept)) == (0, 3, 1)


def test_a_disk_that_fails_leaves_every_message(tmp_path, people, opener, monkeypatch):
    folder = fill(tmp_path / "mail", people)
    before = sorted(path.read_bytes() for name in ("cur", "new") for path in (folder / name).iterdir())

    def broken(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mailbox_decryption.os, "fsync", broken)
    with pytest.raises(OSError, match="space"):
        decrypt_maildir(folder, opener, silent)
    monkeypatch.undo()
    assert sorted(path.read_bytes() for name in ("cur", "new") for path in (folder / name).iterdir()) == before
    assert decrypt_maildir(folder, opener, silent).decrypted == 2


def mbox_file(path, people, count=4):
    with path.open("wb") as file:
        for number in range(count):
            file.write(b"From alice@example.test Tue Nov 24 12:00:00 2026\n")
            file.write(encrypted(people, number).replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n\n")
        file.write(b"From carol@example.test Tue Nov 24 12:00:00 2026\n" + PLAIN + b">From afar\n\n")
        file.write(b"From eve@example.test Tue Nov 24 12:00:00 2026\n")
        file.write(encrypted(people, 9, reader=3).replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n\n")
    return path


def contents(path):
    opened = mbox(path, create=False)
    found = [(message.get_from(), message["subject"], bytes(message)) for message in opened]
    opened.close()
    return found


def test_an_mbox_file_is_decrypted_and_takes_the_place_of_the_old_one(tmp_path, people, opener):
    path = mbox_file(tmp_path / "inbox", people)
    before = contents(path)
    done = decrypt_mbox(path, opener, silent)
    assert (done.decrypted, done.clear, len(done.kept)) == (4, 1, 1)
    after = contents(path)
    assert [who for who, _, _ in after] == [who for who, _, _ in before]
    assert [subject for _, subject, _ in after][:5] == [*(f"Figures {number}" for number in range(4)), "In clear"]
    assert after[4:] == before[4:]  # what stays is the same octet for octet
    assert b"\n>From afar\n" in path.read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["inbox"]
    assert decrypt_mbox(path, opener, silent).clear == 5


@pytest.mark.parametrize("after", [1, 3, 5])
def test_a_run_that_is_broken_off_goes_on_where_it_was(tmp_path, people, opener, after):
    path, whole = mbox_file(tmp_path / "inbox", people), mbox_file(tmp_path / "other", people)
    before, count = path.read_bytes(), [0]

    def stop(_done, _total):
        count[0] += 1
        if count[0] == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decrypt_mbox(path, opener, stop)
    assert path.read_bytes() == before
    with path.with_name("inbox.decrypting").open("ab") as part:
        part.write(b"half a mess")  # a write that was under way
    steps = []
    done = decrypt_mbox(path, opener, lambda done, _: steps.append(done))
    assert len(steps) == 6 - after
    assert (done.decrypted, done.clear, len(done.kept)) == (4, 1, 1)
    decrypt_mbox(whole, opener, silent)
    assert [each[:2] for each in contents(path)] == [each[:2] for each in contents(whole)]


def test_a_file_that_changes_meanwhile_is_left_alone(tmp_path, people, opener):
    path = mbox_file(tmp_path / "inbox", people)

    def deliver(_done, _total):
        with path.open("ab") as file:
            file.write(b"From new@example.test Tue Nov 24 12:00:00 2026\nSubject: New\n\n\n")

    with pytest.raises(ConflictError):
        decrypt_mbox(path, opener, deliver)
    assert b"Subject: New" in path.read_bytes()
    assert b"Figures" not in path.read_bytes()


def test_what_is_no_mailbox_is_refused(tmp_path, opener):
    path = tmp_path / "notes"
    path.write_bytes(b"Dear diary\n")
    with pytest.raises(InputError):
        local_kind(path)
    with pytest.raises(InputError):
        decrypt_mbox(path, opener, silent)
    assert path.read_bytes() == b"Dear diary\n"
    with pytest.raises(InputError):
        decrypt_maildir(tmp_path, opener, silent)
