import pytest

from sealwright.client.decision import RecipientState, decide

TABLE = [
    ("usable", "must", "encrypt"),
    ("usable", "try", "encrypt"),
    ("usable", "never", "encrypt"),
    ("missing", "must", "hold"),
    ("missing", "try", "pass"),
    ("missing", "never", "pass"),
    ("refused", "must", "reject"),
    ("refused", "try", "hold"),
    ("refused", "never", "pass"),
]


@pytest.mark.parametrize(("certificate", "rule", "action"), TABLE)
def test_one_recipient(certificate, rule, action):
    assert decide([RecipientState("a@example.test", certificate, rule)]).action == action


def test_one_missing_holds_all_and_nothing_passes_beside_encrypted():
    good = RecipientState("a@example.test", "usable")
    missing = RecipientState("b@example.test", "missing")
    assert decide([good, missing]).action == "hold"
    assert decide([good, missing]).because == ("b@example.test",)
    assert decide([good, RecipientState("c@example.test", "missing", "never")]).action == "hold"
    assert decide([missing, RecipientState("d@example.test", "refused")]).action == "reject"
    assert decide([]).action == "reject"
