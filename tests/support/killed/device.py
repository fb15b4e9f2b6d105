"""Flows of devices: set-up, states, import, remote decryption."""

import secrets

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from support.certificates import ec_key, self_signed
from support.served import ALICE, BOB

from sealwright.client.importing import HistoricKey, seal_key
from sealwright.cms.content_ciphers import new_cipher
from sealwright.cms.enveloped import encrypt
from sealwright.cms.recipient_encoding import encode_recipient_info
from sealwright.cms.recipients import wrapped_keys
from sealwright.cms.schema import EnvelopedData, load_content
from sealwright.wire.api import CertificateRequest, ReleaseRequest
from sealwright.wire.content_keys import ContentKeyItem, ContentKeyRequest
from sealwright.wire.key_import import ImportKeyAnswer, ImportRequest
from sealwright.wire.operator import MailboxDeviceState, PolicyChange

NONCE_BYTES = 32


def set_up(world, address=ALICE):
    """Proof of the mailbox, release, signing certificate."""
    world.enrolled(address)
    release(world, address)
    request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(ec_key(), hashes.SHA256())
    encoded = request.public_bytes(Encoding.DER)
    wanted = CertificateRequest(certification_request=encoded, mailbox_id=world.mailbox(address).mailbox_id)
    world.request(f"certificate of {address}", "/v1/certificates", wanted, address=address)
    world.settle()


def release(world, address=ALICE, name="release"):
    """All keys for the device of an address."""
    wanted = ReleaseRequest(request_nonce=secrets.token_bytes(NONCE_BYTES))
    return world.request(f"{name} of {address}", "/v1/releases", wanted, address=address)


def one_device(world):
    """Alice has a device."""
    set_up(world)


def two_devices(world):
    """Alice and Bob have one each."""
    set_up(world)
    set_up(world, BOB)


def remote_device(world):
    """Alice's keys stay with the server."""
    set_up(world)
    world.order("/local/policy", PolicyChange(delivery="remote"))


def change_states(world):
    """The operator locks and unlocks Bob's device; then it is removed, which revokes what it signs with."""
    device_id = world.enrolled(BOB)
    (known,) = world.services.devices.of_mailbox(*_names(world, BOB))
    if known.state == "removed":  # it may not ask any more
        return
    for state in ("locked", "active"):
        wanted = MailboxDeviceState(address=BOB, device_id=device_id, state=state)
        world.step(state, lambda wanted=wanted: world.order("/local/devices/state", wanted, 409))
    release(world, BOB, "after the lock")
    world.request("removal", f"/v1/devices/{device_id}", address=BOB, method="DELETE")
    world.settle()


def _names(world, address):
    return world.services.organization_id, world.mailbox(address).mailbox_id


def import_key(world, address=ALICE):
    """A key of another system joins the history."""
    key = ec.derive_private_key(12345, ec.SECP256R1())
    answer = world.ask("/v1/imports/key", world.device(address), world.token(address), method="GET")
    offered = msgspec.json.decode(answer.content, type=ImportKeyAnswer)
    sealed = seal_key(HistoricKey(key, (self_signed(key, "alice"),), ()), offered, *_names(world, address))
    world.request("import", "/v1/imports", ImportRequest(keys=(sealed,)), address=address)


def content_key_item(world, text, address=ALICE):
    """Return a message for the newest key of an address, and what asks for its content key."""
    organization_id, mailbox_id = _names(world, address)
    services = world.services
    with services.storage.read(organization_id) as tx:
        row = services.keys._store.all_certificates(tx, organization_id, mailbox_id)[-1]
    encoded = encrypt(text, [x509.load_der_x509_certificate(row.certificate)])
    content = load_content(encoded)
    assert isinstance(content, EnvelopedData)
    (wrapped,) = wrapped_keys(content.recipient_infos.as_list())
    item = ContentKeyItem(
        key_id=row.key_id,
        recipient_info=encode_recipient_info(wrapped),
        key_bytes=new_cipher("aes-256-cbc").key_bytes,
    )
    return encoded, item


def decrypt_remotely(world):
    """A content key of a message."""
    _, item = content_key_item(world, b"secret")
    wanted = ContentKeyRequest(request_nonce=secrets.token_bytes(NONCE_BYTES), items=(item,))
    world.request("use", "/v1/content-keys", wanted)
