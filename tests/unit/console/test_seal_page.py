"""The page of the seal: every kind of it, and a change that is under way, is said in words."""

import pytest

from sealwright.webui.render import Pages
from sealwright.wire.seal import SealChange, SealStatus, SealTarget

TARGET = {"part": "root", "kind": "shamir", "shares": 5, "threshold": 3}


def shown(**changes):
    fields = {
        "kind": "shamir",
        "state": "open",
        "entry_key": b"",
        "threshold": 3,
        "entered": (),
        "number": 2,
        "proposal_id": "",
        "asks_pin": False,
        "problem": "",
        "emergency_shares": 7,
        "emergency_threshold": 4,
        **changes,
    }
    context = {
        "administrator": None,
        "form_token": "",
        "may": lambda _permission: False,
        "organization_name": "Example",
        "shown": SealStatus(**fields),
    }
    return " ".join(Pages("/static").render("seal.html", context).decode().split())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "3 of them open the seal together"),
        ({"kind": "key-file", "threshold": 0}, "whoever has this file and the database"),
        ({"kind": "pkcs11", "asks_pin": True}, "people enter its PIN"),
        ({}, "4 of 7 people"),
    ],
)
def test_a_seal_is_said_in_words(changes, words):
    assert words in shown(**changes)


@pytest.mark.parametrize(
    ("target", "state", "entered", "words"),
    [
        (TARGET, "permitting", {"permitted": (1,), "needed": 2}, "waits for 2 present operator shares, 1 entered"),
        (TARGET, "confirming", {"confirmed": (1, 4)}, "2 of 5 confirmed"),
        ({**TARGET, "part": "emergency"}, "ready", {}, "new emergency shares"),
        ({**TARGET, "kind": "key-file"}, "ready", {}, "change to key file"),
    ],
)
def test_a_change_under_way_says_what_it_waits_for(target, state, entered, words):
    said = {"permitted": (), "needed": 0, "confirmed": (), **entered}
    change = SealChange(target=SealTarget(**target), state=state, **said)
    assert words in shown(change=change)
