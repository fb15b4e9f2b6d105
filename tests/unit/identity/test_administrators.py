"""Sign-in links, passwords, sessions, challenges: each once, each limited, each in the log."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from support.people_world import ORGANIZATION, World

from sealwright.errors import (
    AuthenticationError,
    ConflictError,
    InputError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
)
from sealwright.identity.administrator_store import AdministratorStore
from sealwright.identity.administrators import AdministratorService, check_name, check_password
from sealwright.identity.model import Passkey
from sealwright.identity.passkeys import PasskeyService
from sealwright.server.store import add_sign_in_link, use_sign_in_link
from sealwright.tlog.leaf import ORGANIZATION_CHAIN, decode_leaf_record
from sealwright.wire.encoding import b64u_encode

PASSWORD = "a long enough password"


class Admins(World):
    def __init__(self, folder):
        super().__init__(folder)
        store = AdministratorStore()
        self.service = AdministratorService(self.storage, store, self.audit, self.clock, use_sign_in_link)
        self.passkeys = PasskeyService(
            self.storage, store, self.service, self.clock, ("https://kms.example.test", "https://kms2.example.test")
        )

    def link(self):
        token = secrets.token_bytes(32)
        with self.storage.transaction(ORGANIZATION) as tx:
            add_sign_in_link(tx, ORGANIZATION, token, self.clock.now() + timedelta(hours=24))
        return b64u_encode(token)

    def session(self, new):
        return self.service.session(ORGANIZATION, new.token)

    def administrator(self, name="root"):
        setting_up = self.session(self.service.redeem_link(ORGANIZATION, self.link()))
        return self.service.set_password(ORGANIZATION, setting_up, name, PASSWORD)

    def sign_in(self, name="root", password=PASSWORD, source="192.0.2.1"):
        return self.service.sign_in(ORGANIZATION, name, password, source)

    def kinds(self):
        leaves = self.audit.chain(ORGANIZATION, ORGANIZATION_CHAIN).leaves
        return [decode_leaf_record(leaf.record).kind for leaf in leaves]


@pytest.fixture
def world(tmp_path):
    made = Admins(tmp_path)
    yield made
    made.storage.close()


def test_a_link_works_once_and_for_a_day(world):
    link = world.link()
    new = world.service.redeem_link(ORGANIZATION, link)
    assert world.session(new).administrator is None
    assert new.token not in repr(new)
    late = world.link()
    world.clock.move(hours=24)
    for used in (link, late, "nonsense!", b64u_encode(bytes(32))):
        with pytest.raises(AuthenticationError):
            world.service.redeem_link(ORGANIZATION, used)


def test_setting_up_ends_the_session_of_the_link(world):
    begun = world.service.redeem_link(ORGANIZATION, world.link())
    new = world.service.set_password(ORGANIZATION, world.session(begun), " Root ", PASSWORD)
    assert world.session(new).administrator.name == "root"
    assert "argon2" not in repr(world.session(new))
    with pytest.raises(AuthenticationError):
        world.session(begun)
    with pytest.raises(ConflictError):
        world.administrator("ROOT")
    assert world.kinds()[-3:] == ["sign-in-link.use", "administrator.create", "sign-in-link.use"]


def test_sessions_end(world):
    new = world.administrator()
    world.clock.move(hours=11, minutes=59)
    session = world.session(new)
    world.clock.move(minutes=1)
    with pytest.raises(AuthenticationError):
        world.session(new)
    again = world.sign_in()
    world.service.sign_out(ORGANIZATION, world.session(again))
    world.service.sign_out(ORGANIZATION, session)
    with pytest.raises(AuthenticationError):
        world.session(again)
    assert world.kinds()[-1] == "administrator.sign-in"


def test_a_new_password_ends_the_other_sessions(world):
    first = world.administrator()
    second = world.sign_in()
    third = world.service.set_password(ORGANIZATION, world.session(second), "", "another long password")
    for ended in (first, second):
        with pytest.raises(AuthenticationError):
            world.session(ended)
    assert world.session(third).administrator.name == "root"
    with pytest.raises(AuthenticationError):
        world.sign_in()
    assert world.kinds()[-1] == "administrator.set-password"


def test_a_removed_administrator_is_out_at_once_and_the_last_one_stays(world):
    root, other = world.administrator(), world.administrator("other")
    add_passkey(world, other)
    signed_in = world.session(root).administrator
    removed = world.session(other).administrator
    assert [(each.name, passkeys) for each, passkeys in world.service.everybody(ORGANIZATION)] == [
        ("other", 1),
        ("root", 0),
    ]
    with pytest.raises(NotFoundError):
        world.service.remove(ORGANIZATION, signed_in, "0" * 32)
    world.service.remove(ORGANIZATION, signed_in, removed.administrator_id)
    with pytest.raises(AuthenticationError):
        world.session(other)
    with pytest.raises(AuthenticationError):
        world.sign_in("other")
    assert world.service.passkeys(ORGANIZATION, removed) == []
    with pytest.raises(ConflictError):
        world.service.remove(ORGANIZATION, signed_in, signed_in.administrator_id)
    assert world.session(root).administrator.name == "root"
    assert world.kinds()[-1] == "administrator.remove"
    assert world.kinds().count("administrator.remove") == 1  # what was refused is no leaf
    assert world.administrator("other")  # the name is free again


def test_of_two_who_remove_each_other_at_once_one_stays(world):
    for _ in range(5):
        names = [world.session(world.administrator(name)).administrator for name in ("one", "two")]

        def remove(number, both=names):
            try:
                world.service.remove(ORGANIZATION, both[number], both[1 - number].administrator_id)
            except (ConflictError, NotFoundError):
                return 0
            return 1

        with ThreadPoolExecutor(2) as pool:
            assert sum(pool.map(remove, range(2))) == 1
        ((left, _),) = world.service.everybody(ORGANIZATION)
        world.administrator("spare")
        spare = next(each for each, _ in world.service.everybody(ORGANIZATION) if each.name == "spare")
        world.service.remove(ORGANIZATION, left, left.administrator_id)
        with world.storage.transaction(ORGANIZATION) as tx:  # leaves nobody, for the next round
            AdministratorStore().remove_administrator(tx, ORGANIZATION, spare.administrator_id)


def add_passkey(world, new, number=1):
    identifier = world.session(new).administrator.administrator_id
    credential = number.to_bytes(16, "big") + bytes.fromhex(identifier)
    added = Passkey(f"{number:032x}", identifier, credential, b"key", 0, world.clock.now())
    with world.storage.transaction(ORGANIZATION) as tx:
        AdministratorStore().add_passkey(tx, ORGANIZATION, added)
    return added.passkey_id


def with_passkey(world, new):
    """Return a session of the same administrator that a passkey opened."""
    with world.storage.transaction(ORGANIZATION) as tx:
        identifier = world.session(new).administrator.administrator_id
        return world.service.begin_session(tx, ORGANIZATION, identifier, "passkey")


def test_how_a_session_was_opened_stays_with_it(world):
    first = world.administrator()
    assert not world.session(first).with_passkey
    assert not world.session(world.sign_in()).with_passkey
    strong = with_passkey(world, first)
    assert world.session(strong).with_passkey
    changed = world.service.set_password(ORGANIZATION, world.session(strong), "", "another long pass phrase")
    assert world.session(changed).with_passkey
    with world.storage.transaction(ORGANIZATION) as tx:
        world.service.check_passkeys_stay(tx, ORGANIZATION, world.session(changed))


def test_a_removed_passkey_ends_other_sessions_and_the_only_credential_stays(world):
    first = world.administrator()
    second = world.sign_in()
    passkey_id = add_passkey(world, first)
    with pytest.raises(PermissionDeniedError):  # a password, however it was got, brings in no other passkey
        world.service.remove_passkey(ORGANIZATION, world.session(second), passkey_id)
    second = with_passkey(world, second)
    kept = world.service.remove_passkey(ORGANIZATION, world.session(second), passkey_id)
    for ended in (first, second):
        with pytest.raises(AuthenticationError):
            world.session(ended)
    administrator = world.session(kept).administrator
    assert world.service.passkeys(ORGANIZATION, administrator) == []
    assert world.kinds()[-1] == "administrator.remove-passkey"
    with pytest.raises(ConflictError):  # gone already
        world.service.remove_passkey(ORGANIZATION, world.session(kept), passkey_id)
    with world.storage.transaction(ORGANIZATION) as tx:  # as somebody who was set up with a passkey
        AdministratorStore().set_password_hash(tx, ORGANIZATION, administrator.administrator_id, None)
    only = add_passkey(world, kept, 2)
    with pytest.raises(ConflictError, match="only way"):
        world.service.remove_passkey(ORGANIZATION, world.session(kept), only)
    add_passkey(world, kept, 3)
    assert world.service.remove_passkey(ORGANIZATION, world.session(kept), only).token


def test_nobody_removes_a_passkey_of_another_or_before_set_up(world):
    root, other = world.administrator(), world.administrator("other")
    passkey_id = add_passkey(world, other)
    with pytest.raises(ConflictError):
        world.service.remove_passkey(ORGANIZATION, world.session(root), passkey_id)
    setting_up = world.session(world.service.redeem_link(ORGANIZATION, world.link()))
    with pytest.raises(AuthenticationError):
        world.service.remove_passkey(ORGANIZATION, setting_up, passkey_id)
    assert len(world.service.passkeys(ORGANIZATION, world.session(other).administrator)) == 1


def test_wrong_names_and_passwords_are_refused_alike_and_limited(world):
    world.administrator()
    refusals = set()
    for name, password in (("root", "wrong"), ("nobody", PASSWORD), ("", "")):
        with pytest.raises(AuthenticationError) as refused:
            world.sign_in(name, password)
        refusals.add(refused.value.message)
    assert len(refusals) == 1
    for _ in range(7):
        with pytest.raises(AuthenticationError):
            world.sign_in(password="wrong")
    with pytest.raises(RateLimitedError):
        world.sign_in()
    assert world.sign_in(source="192.0.2.2").token
    world.clock.move(minutes=6)
    assert world.sign_in().token


def test_challenges_belong_to_their_session_and_are_used_up(world):
    session = world.session(world.administrator())
    other = world.session(world.sign_in())
    challenge, options = world.passkeys.begin_registration(ORGANIZATION, session, "")
    assert '"userVerification": "required"' in options
    for asking in (other, session, session):
        with pytest.raises(AuthenticationError):
            world.passkeys.register(ORGANIZATION, asking, "", challenge, "{}")
    challenge, _ = world.passkeys.begin_sign_in(ORGANIZATION, "192.0.2.1")
    for answer in ("{}", '{"rawId": "AAAA"}', "[]", "no JSON"):
        challenge, _ = world.passkeys.begin_sign_in(ORGANIZATION, "192.0.2.1")
        with pytest.raises(AuthenticationError):
            world.passkeys.sign_in(ORGANIZATION, challenge, answer)


def test_passkeys_need_a_host_name(world):
    assert world.passkeys.are_possible
    numbered = PasskeyService(world.storage, None, world.service, world.clock, ("https://127.0.0.1:8443",))
    assert not numbered.are_possible


def test_names_and_passwords_are_checked():
    assert check_name(" Admin@Example.Test ") == "admin@example.test"
    for name in ("", "a b", "ä", "-x", "x" * 65):
        with pytest.raises(InputError):
            check_name(name)
    for password in ("short", "x" * 300, "ababababababab"):
        with pytest.raises(InputError):
            check_password(password)
