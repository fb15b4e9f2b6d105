"""Enrolment, tokens, devices and people: what must not happen, and what must."""

import threading

import msgspec
import pytest
from support.people_world import ORGANIZATION, ORIGIN, World
from support.release_evidence import make_device

from sealwright.errors import (
    AuthenticationError,
    ConflictError,
    InputError,
    NonceRequiredError,
    NotFoundError,
    RateLimitedError,
)
from sealwright.identity.challenge_mail import challenge_message
from sealwright.identity.freshness import MAX_PROOFS_PER_KEY, ReplayCache
from sealwright.identity.network import network_of
from sealwright.identity.tables import access_token, enrolment
from sealwright.keystore.model import UNKNOWN_MAILBOX
from sealwright.tlog.leaf import decode_leaf_record
from sealwright.wire.api import SyncNotice
from sealwright.wire.hpke import hpke_open
from sealwright.wire.operator import PersonRow, PolicyChange
from sealwright.wire.proof import CHALLENGE_HEADER
from sealwright.wire.sync import sync_item_info


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.storage.close()


def kinds(world):
    chain = world.audit.chain(ORGANIZATION, world.alice.mailbox_id)
    return [decode_leaf_record(leaf.record).kind for leaf in chain.leaves]


def test_a_device_is_enrolled_and_its_token_works(world):
    device, enrolled = world.enrol()
    asking = world.authenticate(device, enrolled.token.access_token)
    assert (asking.device_id, asking.address) == (enrolled.device_id, "alice@example.test")
    assert enrolled.release_level == 1
    assert kinds(world) == ["person.create", "device.add"]
    with world.storage.read(None) as tx:
        stored = tx.fetch_all(access_token.select())
    assert enrolled.token.access_token not in str(stored)


def test_an_unknown_address_gets_the_same_answer_a_row_and_no_mail(world):
    device = make_device()
    known, unknown = world.begin(device), world.begin(device, "nobody@example.test")
    for name in known.__struct_fields__:
        assert type(getattr(known, name)) is type(getattr(unknown, name))
    assert (len(unknown.part2), len(unknown.server_nonce), unknown.expires) == (32, 32, known.expires)
    assert [mail["enrolment_id"] for mail in world.mails()] == [known.enrolment_id]
    with world.storage.read(None) as tx:
        rows = {row.id: row.mailbox_id for row in tx.fetch_all(enrolment.select())}
    assert rows[unknown.enrolment_id] == UNKNOWN_MAILBOX
    with pytest.raises(AuthenticationError) as refused_unknown:
        world.prove(device, unknown, b"x" * 32)
    with pytest.raises(AuthenticationError) as refused_known:
        world.prove(device, known, b"x" * 32)
    assert refused_unknown.value.message == refused_known.value.message


def test_a_foreign_domain_is_not_served(world):
    with pytest.raises(NotFoundError):
        world.begin(make_device(), "alice@other.test")


def test_part1_is_sealed_in_the_outbox_and_stands_in_the_mail(world):
    device = make_device()
    begun = world.begin(device)
    challenge = world.enrolments.challenge(ORGANIZATION, world.mails()[0])
    assert challenge.part1.hex() not in str(world.mails())
    mail = challenge_message(challenge, "sealwright@example.test", world.clock.now())
    header = next(line for line in mail.decode().split("\r\n") if line.startswith(CHALLENGE_HEADER))
    assert begun.enrolment_id in header
    assert device.public.thumbprint().hex() in header
    world.clock.move(hours=24)
    assert world.enrolments.challenge(ORGANIZATION, world.mails()[0]) is None


def test_a_right_answer_counts_once_and_a_retry_is_answered_again(world):
    device = make_device()
    begun = world.begin(device)
    answer = world.answer(device, begun)
    first = world.prove(device, begun, answer, key="k1")
    again = world.prove(device, begun, answer, key="k1")
    assert (first.device_id, first.mailbox_id) == (again.device_id, again.mailbox_id)
    with pytest.raises(AuthenticationError):
        world.prove(device, begun, answer, key="k2")
    assert kinds(world).count("device.add") == 1


def test_eight_threads_enrol_one_device(world):
    device = make_device()
    begun = world.begin(device)
    answer = world.answer(device, begun)
    enrolled, refused = [], []

    def work():
        try:
            enrolled.append(world.prove(device, begun, answer))
        except (AuthenticationError, ConflictError) as error:
            refused.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(enrolled), len(refused)) == (1, 7)


def test_after_five_wrong_answers_the_right_one_is_refused(world):
    device = make_device()
    begun = world.begin(device)
    for _ in range(5):
        with pytest.raises(AuthenticationError):
            world.prove(device, begun, b"x" * 32)
    with pytest.raises(AuthenticationError):
        world.prove(device, begun, world.answer(device, begun))


def test_an_answer_after_24_hours_by_another_key_or_without_key_is_refused(world):
    device, other = make_device(), make_device()
    begun = world.begin(device)
    answer = world.answer(device, begun)
    with pytest.raises(AuthenticationError):
        world.prove(other, begun, answer)
    with pytest.raises(AuthenticationError):
        world.prove(device, begun, answer, key=None)
    world.clock.move(hours=24, seconds=1)
    with pytest.raises(AuthenticationError):
        world.prove(device, begun, answer)


def test_rates_are_limited_per_address_and_source_but_not_for_enrolled_devices(world):
    device, enrolled = world.enrol()
    for _ in range(4):
        world.begin(make_device())
    with pytest.raises(RateLimitedError):
        world.begin(make_device(), source="198.51.100.7")
    for number in range(25):
        world.begin(make_device(), f"nobody{number}@example.test")
    with pytest.raises(RateLimitedError):
        world.begin(make_device(), "bob@example.test")
    world.begin(make_device(), "bob@example.test", source="198.51.100.7")
    assert world.tokens.renew(world.signed(device, "POST", "/v1/token"))
    world.authenticate(device, enrolled.token.access_token)
    world.clock.move(hours=1, seconds=1)
    world.begin(make_device())


def test_sources_are_counted_by_network():
    assert network_of("2001:db8::1") == network_of("2001:db8::2:3") == "2001:db8::/64"
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") == "192.0.2.1"


def test_freshness_is_the_servers_nonce_and_the_place_is_this_server(world):
    device = make_device()
    for nonce in ("made-up", "AAAA"):
        with pytest.raises(NonceRequiredError):
            world.begin(device, nonce=nonce)
    old = world.tokens.nonce()
    world.clock.move(minutes=5)
    world.begin(device, nonce=old)
    world.clock.move(minutes=1)
    with pytest.raises(NonceRequiredError):
        world.begin(device, nonce=old)
    with pytest.raises(AuthenticationError):
        world.begin(device, origin="https://evil.test")
    with pytest.raises(AuthenticationError):
        world.begin(device, key=None)


def test_tokens_are_bound_to_key_nonce_time_and_one_use(world):
    device, enrolled = world.enrol()
    token = enrolled.token.access_token
    with pytest.raises(AuthenticationError):
        world.authenticate(make_device(), token)
    with pytest.raises(AuthenticationError):
        world.authenticate(device, "x" * 43)
    with pytest.raises(NonceRequiredError):
        world.authenticate(device, token, nonce="")
    headers = world.headers(device, token, "GET", "/v1/devices")
    uri = ORIGIN + "/v1/devices"
    world.tokens.authenticate(headers, "GET", uri, b"", state_changing=False)
    with pytest.raises(AuthenticationError, match="before"):
        world.tokens.authenticate(headers, "GET", uri, b"", state_changing=False)
    with pytest.raises(AuthenticationError):
        fresh = world.headers(device, token, "DELETE", "/v1/devices")
        world.tokens.authenticate(fresh, "DELETE", uri, b"", state_changing=True)
    assert world.authenticate(device, token, "POST", "/v1/releases", b"{}", key="k").idempotency_key == "k"
    world.clock.move(hours=1)
    with pytest.raises(AuthenticationError):
        world.authenticate(device, token)
    renewed = world.tokens.renew(world.signed(device, "POST", "/v1/token"))
    world.authenticate(device, renewed.access_token)
    with pytest.raises(AuthenticationError):
        world.tokens.renew(world.signed(make_device(), "POST", "/v1/token"))


def test_the_replay_memory_is_bounded_per_key_and_forgets_what_is_old(world):
    cache = ReplayCache(world.clock)
    for number in range(MAX_PROOFS_PER_KEY):
        cache.use(b"one", str(number))
    with pytest.raises(RateLimitedError):
        cache.use(b"one", "more")
    cache.use(b"two", "0")
    world.clock.move(minutes=7)
    cache.use(b"one", "more")


def test_other_devices_are_told_and_a_removed_device_is_out(world):
    first, one = world.enrol()
    second, two = world.enrol()
    asking = world.authenticate(first, one.token.access_token)
    items = world.devices.sync(asking, 0).items
    assert [item.number for item in items] == [1]
    info = sync_item_info(ORGANIZATION, one.mailbox_id, one.device_id, 1)
    notice = msgspec.json.decode(hpke_open(first.hpke_private_key, info, items[0].sealed), type=SyncNotice)
    assert (notice.kind, notice.thumbprint) == ("device-added", second.public.thumbprint())
    assert world.devices.sync(world.authenticate(second, two.token.access_token), 0).items == ()
    _, bob = world.enrol(address="bob@example.test")
    with pytest.raises(NotFoundError):
        world.devices.remove(asking, bob.device_id)
    world.devices.remove(asking, two.device_id)
    world.devices.remove(asking, two.device_id)
    removed = [payload for topic, payload in world.outbox if topic == "device.removed"]
    assert removed == [{"mailbox_id": one.mailbox_id, "device_id": two.device_id}]
    assert kinds(world).count("device.remove") == 1
    with pytest.raises(AuthenticationError):
        world.authenticate(second, two.token.access_token)
    with pytest.raises(AuthenticationError):
        world.tokens.renew(world.signed(second, "POST", "/v1/token"))
    assert [view.state for view in world.devices.list_devices(asking).devices].count("active") == 1


def test_a_list_is_imported_whole_or_not_at_all(world):
    rows = (
        PersonRow(address="carol@example.test"),
        PersonRow(address="dave@other.test"),
        PersonRow(address="Carol@Example.Test"),
    )
    result = world.people.import_people(ORGANIZATION, rows)
    assert (result.created, [refused.row for refused in result.refused]) == (0, [2, 3])
    assert world.people.find_mailbox(ORGANIZATION, "carol@example.test") is None
    result = world.people.import_people(ORGANIZATION, (rows[0], PersonRow(address="ALICE@example.test")))
    assert (result.created, result.existing) == (1, 1)
    assert len([topic for topic, _ in world.outbox if topic == "mailbox.provision"]) == 3
    with pytest.raises(InputError):
        world.people.import_people(ORGANIZATION, rows * 4000)


def test_who_leaves_is_out_and_the_next_holder_gets_a_new_mailbox(world):
    device, enrolled = world.enrol()
    begun = world.begin(make_device())
    world.people.remove_person(ORGANIZATION, "alice@example.test")
    with pytest.raises(AuthenticationError):
        world.authenticate(device, enrolled.token.access_token)
    with pytest.raises(NotFoundError):
        world.people.remove_person(ORGANIZATION, "alice@example.test")
    assert ("mailbox.withdraw", {"mailbox_id": world.alice.mailbox_id}) in world.outbox
    assert kinds(world)[-3:] == ["device.remove", "policy.mailbox", "person.remove"]
    assert world.people.import_people(ORGANIZATION, (PersonRow(address="alice@example.test"),)).created == 1
    assert world.people.find_mailbox(ORGANIZATION, "alice@example.test").mailbox_id != world.alice.mailbox_id
    late = make_device()
    with pytest.raises(AuthenticationError):
        world.prove(late, begun, b"x" * 32)


def test_a_challenge_of_a_tenure_that_ended_enrols_nobody(world):
    device = make_device()
    begun = world.begin(device)
    answer = world.answer(device, begun)
    world.people.remove_person(ORGANIZATION, "alice@example.test")
    with pytest.raises(ConflictError):
        world.prove(device, begun, answer)


def test_every_change_of_policy_is_a_leaf(world):
    changed = world.policies.change(ORGANIZATION, PolicyChange(export_key=True))
    assert (changed.version, world.policies.change(ORGANIZATION, PolicyChange(export_key=True))) == (2, changed)
    chain = world.audit.chain(ORGANIZATION, "organization")
    assert [decode_leaf_record(leaf.record).fields["export_key"] for leaf in chain.leaves] == ["no", "yes"]
