"""Who can reach a key: the part of the story that a security officer would ask for."""

import json
from typing import TYPE_CHECKING

from demo.letters import read_newest, send
from demo.programs import Device, openssl
from demo.telling import ALICE, BOB, CAROL, DAVE, chapter, check, wait_until
from sealwright.net.smtp import submit_mail
from sealwright.wire.statement import MailServer

if TYPE_CHECKING:
    from demo.run import Story

LETTER = "Please sign by Friday."
OLD_TEXT = "Encrypted years ago, by another system."


def old_key(story: "Story", bob: Device) -> None:
    """Let Bob bring the key of the system before along, and read a mail of that time."""
    chapter("Bob has old mail, and the key of the system before")
    work = story.private
    (work / "old.password").write_text("password of the export\n")
    openssl(
        work,
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "old.key",
        "-out",
        "old.pem",
        "-subj",
        f"/CN={BOB}",
    )
    openssl(
        work, "pkcs12", "-export", "-legacy", "-inkey", "old.key", "-in", "old.pem", "-out", "old.p12",
        "-passout", "file:old.password",
    )  # fmt: skip
    (work / "old.txt").write_bytes(f"Content-Type: text/plain\r\n\r\n{OLD_TEXT}\r\n".encode())
    header = ("-from", CAROL, "-to", BOB, "-subject", "From long ago")
    openssl(work, "cms", "-encrypt", "-des3", "-in", "old.txt", *header, "-out", "old.eml", "old.pem")
    before = len(story.mail.raw_messages(BOB))
    server = MailServer(host="127.0.0.1", port=story.mail.smtp_port, security="none")
    submit_mail(server, CAROL, [BOB], (work / "old.eml").read_bytes())
    story.mail.wait_for_messages(BOB, before + 1)
    check(OLD_TEXT not in bob.run("read", "1", may_fail=True).output, "without the old key Bob cannot read it")
    bob.run("keys", "import", str(work / "old.p12"), "--password-file", str(work / "old.password"))
    check(OLD_TEXT in read_newest(bob), "he imports the PKCS#12 file, triple DES and all, and reads it")
    telephone = story.device(BOB, "telephone")
    telephone.run("devices", "list")  # reads the feed, and with it the imported key
    check(OLD_TEXT in read_newest(telephone), "and so does his telephone, without being asked")


def three_people(story: "Story", bob: Device) -> None:
    """Move the root wrapping key from its file to three people; two of them open the server when it starts."""
    chapter("The server's seal: no file any more, but three people")
    server, key_file = story.server, story.server.data.with_name(story.server.data.name + ".seal-key")
    begun = server.operate("seal", "migrate", "shamir", "--shares", "3", "--threshold", "2", "--no-wait", "--json")
    shares = json.JSONDecoder().raw_decode(begun.output)[0]["shares"]
    files = [story.private / f"share-{number}" for number in range(1, 4)]
    for file, share in zip(files, shares, strict=True):
        file.touch(mode=0o600)
        file.write_text(share + "\n")
        check(key_file.exists(), f"{file.name} is entered by its holder, before the key file goes")
        server.operate("seal", "confirm", "--share-file", str(file))
    check(not key_file.exists(), "now the key file is gone: no copy of the server's disk opens anything")
    server.stop()
    server.start(sealed=True)
    refused = bob.run("devices", "list", may_fail=True)
    check("sealed" in refused.errors, f"after a start it says to everybody: {refused.errors.strip().splitlines()[-1]}")
    server.operate("seal", "unseal", "--share-file", str(files[0]))
    check("entered: 1" in bob.run("seal", "status").output, "one of the three enters a share at the server")
    bob.run("seal", "unseal", "--share-file", str(files[2]))
    wait_until(
        lambda: server.operate("status", may_fail=True).status == 0,
        "another one from the own laptop, and the server works again",
    )
    check(OLD_TEXT in read_newest(bob), "Bob reads his mail as before")


def nobody_alone(story: "Story", alice: Device) -> Device:
    """Appoint two security officers; from then on nobody appoints alone."""
    chapter("Two security officers, and from then on nobody alone")
    carol = story.set_up(CAROL, "laptop")
    for officer in (ALICE, CAROL):
        story.server.operate("roles", "appoint", officer, "recovery-officer")
    story.server.operate("recovery", "set-rule", "--needed", "2")
    for officer in (ALICE, CAROL):
        story.server.operate("roles", "appoint", officer, "security-officer")
    proposed = story.server.operate("roles", "appoint", BOB, "administrator").output
    check(proposed.startswith("Proposed as "), "the operator can only propose that Bob becomes administrator")
    proposal = proposed.split()[2].rstrip(":")
    first = alice.run("approvals", "approve", proposal, "--yes").output
    check(
        "1 of 2" in first and "administrator" not in holders(story, BOB),
        "Alice's device signs for it; that is not enough",
    )
    carol.run("approvals", "approve", proposal, "--yes")
    wait_until(lambda: "administrator" in holders(story, BOB), "Carol's device signs, too, and the keystore accepts it")
    return carol


def holders(story: "Story", address: str) -> str:
    """Return the roles that somebody has."""
    listed = story.server.operate("roles", "list").output.splitlines()
    return next((line for line in listed if line.startswith(address)), "")


def recovery(story: "Story", alice: Device, bob: Device, carol: Device) -> None:
    """Let two recovery officers open one message for somebody else, and nothing more."""
    chapter("Dave is ill, and a letter to him cannot wait")
    before = len(story.mail.raw_messages(DAVE))
    send(alice, DAVE, "The contract", LETTER)
    letter = story.private / "letter.eml"
    letter.write_bytes(story.mail.wait_for_messages(DAVE, before + 1)[-1])
    check(LETTER.encode() not in letter.read_bytes(), "it lies in his mailbox, and only his devices can read it")
    bob.run("recovery", "request", DAVE, str(letter), "--reason", "Dave is in hospital", "--case", "2026-117")
    proposal = bob.run("recovery", "list").output.split()[0]
    early = bob.run("recovery", "decrypt", str(letter), may_fail=True)
    check(LETTER not in early.output, "Bob asks for this one message; asking opens nothing")
    alice.run("approvals", "approve", proposal, "--yes")
    early = bob.run("recovery", "decrypt", str(letter), may_fail=True)
    check(LETTER not in early.output, "nor is one officer's approval enough")
    carol.run("approvals", "approve", proposal, "--yes")
    wait_until(
        lambda: LETTER in bob.run("recovery", "decrypt", str(letter), may_fail=True).output,
        "with the second officer the keystore unwraps its content key for Bob's laptop, and Bob reads it",
    )
    (story.private / "other.eml").write_bytes(story.mail.raw_messages(ALICE)[-1])
    other = bob.run("recovery", "decrypt", str(story.private / "other.eml"), may_fail=True)
    check(other.status != 0, "no other message, and no private key, left the keystore")
