import pytest

from sealwright.client.state import ClientState, HeldMail, SendOptions
from sealwright.client.store import ClientStore, list_stores
from sealwright.client.store_key import KeyChoice
from sealwright.errors import ConfigurationError, NotFoundError
from sealwright.wire.statement import Invitation

INVITATION = Invitation(
    version=1,
    domain="example.test",
    organization_name="Example",
    endpoints=("https://localhost",),
    tls_anchors=(),
    statement_root_sha256="00" * 32,
)
STATE = ClientState(
    address="alice@example.test", device_name="laptop", invitation=INVITATION, mail_password="correct horse"
)


@pytest.fixture
def choice(tmp_path):
    return KeyChoice(key_file=tmp_path / "key")


def test_state_survives_and_is_sealed(tmp_path, choice):
    with ClientStore.create(tmp_path / "home", STATE, choice) as store:
        store.update({"sync_number": 7})
    sealed = (tmp_path / "home" / "alice@example.test" / "store.sealed").read_bytes()
    assert b"correct horse" not in sealed
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0
    with ClientStore.open(tmp_path / "home", "Alice@Example.test", choice) as store:
        assert store.state.sync_number == 7
        assert store.state.mail_password == "correct horse"
    assert list_stores(tmp_path / "home") == ["alice@example.test"]
    assert "correct" not in repr(STATE)


def test_wrong_key_and_changed_file_are_refused(tmp_path, choice):
    ClientStore.create(tmp_path / "home", STATE, choice).close()
    other = tmp_path / "other"
    other.write_bytes(bytes(32))
    other.chmod(0o600)
    with pytest.raises(ConfigurationError):
        ClientStore.open(tmp_path / "home", STATE.address, KeyChoice(key_file=other))
    path = tmp_path / "home" / STATE.address / "store.sealed"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ConfigurationError):
        ClientStore.open(tmp_path / "home", STATE.address, choice)
    with pytest.raises(NotFoundError):
        ClientStore.open(tmp_path / "home", "bob@example.test", choice)


def test_held_mail_is_sealed_and_can_be_read_again(tmp_path, choice):
    with ClientStore.create(tmp_path / "home", STATE, choice) as store:
        mail = HeldMail(message=b"secret text", options=SendOptions(header_policy="shy", must_encrypt=True))
        held_id = store.hold_mail(mail)
        assert store.held_mails() == [held_id]
        assert store.read_held(held_id) == mail
        assert "secret" not in repr(mail)
        file = tmp_path / "home" / STATE.address / "held" / f"{held_id}.sealed"
        assert b"secret" not in file.read_bytes()
        store.drop_held(held_id)
        assert store.held_mails() == []
        with pytest.raises(NotFoundError):
            store.read_held("../store")
