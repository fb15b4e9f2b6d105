"""What a script sees of devices and server: one JSON document each; and a server that comes back from its backup."""

import base64
import json
import shutil
from contextlib import ExitStack

import pytest
from support.mail_system import why_not

from demo.run import ALICE, BOB, STRANGER, Story, send

MAIL = f"From: {ALICE}\nTo: {BOB}\nSubject: the plan\n\nboth ways\n"


@pytest.fixture(scope="module")
def house(passable_folder):
    if reason := why_not():
        pytest.skip(reason)
    with ExitStack() as running:
        story = Story(passable_folder)
        story.machine_room(running)
        yield story, story.set_up(ALICE, "laptop"), story.set_up(BOB, "laptop")


def answer(done, status=0):
    assert done.status == status, done.errors
    return json.loads(done.output)


def test_the_operators_commands_speak_json(house):
    server = house[0].server
    assert answer(server.operate("status", "--json"))["state"] == "open"
    assert {row["address"] for row in answer(server.operate("people", "list", "--json"))["people"]} >= {ALICE, BOB}
    assert answer(server.operate("sign-in-link", "--json"))["url"].startswith("https://")
    staff = server.data.parent / "again.csv"
    staff.write_text(f"address\n{ALICE}\n")
    assert answer(server.operate("people", "import", str(staff), "--json")) == {
        "created": 0,
        "existing": 1,
        "refused": [],
    }
    staff.write_text("address\nalice@elsewhere.test\n")
    refused = server.operate("people", "import", str(staff), "--json", may_fail=True)
    assert answer(refused, status=2)["refused"][0]["row"] == 1


def test_documents_and_messages_speak_json(house, tmp_path):
    _, alice, bob = house
    (tmp_path / "d").write_text("a document")
    encrypted, signed, opened = (str(tmp_path / name) for name in ("e", "s", "o"))
    told = answer(alice.run("encrypt", str(tmp_path / "d"), "-o", encrypted, "--to", BOB, "--json"))
    assert told == {"output": encrypted, "size_bytes": (tmp_path / "e").stat().st_size}
    assert answer(bob.run("decrypt", encrypted, "-o", opened, "--json"))["size_bytes"] == 10
    assert answer(alice.run("sign", str(tmp_path / "d"), "-o", signed, "--json"))["output"] == signed
    assert answer(bob.run("verify", signed, "--json"))["state"] == "valid"
    for command in ("encrypt", "sign"):
        message = base64.b64decode(answer(alice.run("message", command, "--json", given=MAIL))["message"]).decode()
        seen = answer(bob.run("message", "verify", "--json", given=message))
        assert (seen["subject"], seen["signature"]["state"], seen["encrypted"]) == (
            "the plan",
            "valid",
            command == "encrypt",
        )


def test_held_mail_and_devices_speak_json(house):
    story, alice, _ = house
    assert send(alice, STRANGER, "x", "y", may_fail=True).status == 11
    (held,) = answer(alice.run("held", "list", "--json"))
    assert alice.run("held", "retry", held, "--json", may_fail=True).status == 11
    assert answer(alice.run("held", "drop", held, "--json")) == {"dropped": held}
    assert answer(alice.run("held", "list", "--json")) == []
    second = story.set_up(ALICE, "telephone")
    assert len(answer(alice.run("devices", "list", "--json"))) == 2
    assert answer(alice.run("devices", "remove", "telephone", "--json"))["name"] == "telephone"
    assert second.run("devices", "list", may_fail=True).status in (6, 7)
    assert alice.run("keys", "export", "-o", "x", "--export-passphrase-file", "/dev/null", may_fail=True).status == 2
    assert answer(alice.run("log", "verify", "--json"))["deliveries"]


def test_a_restored_server_serves_and_a_device_that_saw_more_says_so(house, tmp_path):
    story, alice, bob = house
    server, backup = story.server, tmp_path / "backup.tar.gz"
    server.operate("backup", str(server.data), "-o", str(backup))
    key_file = server.data.with_name(server.data.name + ".seal-key")
    key = ("--seal-key-file", str(key_file)) if key_file.exists() else ()
    steps = answer(server.operate("backup-drill", str(backup), *key, "--folder", str(tmp_path), "--json"))
    assert [step["name"] for step in steps if step["holds"]] == [
        "restore",
        "database",
        "seal",
        "keys",
        "log",
        "numbers",
    ]
    server.operate("people", "rotate", BOB)
    bob.run("devices", "list")
    server.stop()
    shutil.move(server.data, tmp_path / "lost")
    server.operate("restore", str(backup), str(server.data))
    assert server.operate("serve", str(server.data), may_fail=True).status == 9
    server.operate("lift-quarantine", "--yes", str(server.data))
    server.start()
    server.operate("people", "rotate", BOB)
    refused = bob.run("devices", "list", may_fail=True)  # told of another key, in a log that is not the one it knows
    assert refused.status == 3
    assert "the log" in refused.errors
    # the officers' word makes the device go on, once, and it says so
    assert server.operate("log", "break", "--reason", "the disk broke", "--json").status == 0
    told = bob.run("devices", "list")
    assert "the disk broke" in told.errors
    shutil.move(bob.home, tmp_path / "before")
    again = story.set_up(BOB, "laptop")
    assert answer(again.run("log", "verify", "--json"))["records"]
    send(alice, BOB, "after", "the restore")
    story.mail.wait_for_messages(BOB, 1)
    assert "the restore" in again.run("read", "1").output
