"""One request to an HSM, in a process of its own: `python -m sealwright.keystore.hsm_process`, MessagePack in and out.

The vendor's PKCS#11 library is loaded here and nowhere else, so that its threads, its crashes and its memory stay out of
the processes that hold keys.
"""

import os
import secrets
import sys
from typing import Any

import msgspec
import PyKCS11

from sealwright.errors import ConfigurationError, SealedError, SealwrightError
from sealwright.keystore.frames import encode_error, encode_result
from sealwright.keystore.hsm import HsmCall
from sealwright.keystore.process import harden
from sealwright.wire.encoding import encode_fields

KEY_LABEL = "sealwright root wrapping key"
NONCE_BYTES, TAG_BITS = 12, 128


def main() -> int:
    """Carry out the request of standard input and write the answer's frame to standard output."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # modules write to standard output as they like
    try:
        harden()
        call = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=HsmCall)
        answer = encode_result(_carry_out(call))
    except SealwrightError as error:
        answer = encode_error(error)
    except PyKCS11.PyKCS11Error as error:
        answer = encode_error(SealedError(f"the HSM refused: {error}"))
    with answers:
        answers.write(answer)
    return 0


def _carry_out(call: HsmCall) -> bytes:
    library = PyKCS11.PyKCS11Lib()
    try:
        library.load(call.module)
    except PyKCS11.PyKCS11Error as error:
        raise ConfigurationError(f"the PKCS#11 module {call.module} cannot be loaded: {error}") from error
    session = library.openSession(_slot(library, call.token), PyKCS11.CKF_SERIAL_SESSION | PyKCS11.CKF_RW_SESSION)
    session.login(call.pin)
    try:
        return _OPERATIONS[call.operation](session, call)
    finally:
        session.logout()
        session.closeSession()


def _slot(library: Any, token: str) -> Any:
    for slot in library.getSlotList(tokenPresent=True):
        if library.getTokenInfo(slot).label.strip().rstrip("\0") == token:
            return slot
    raise SealedError(f"no HSM here has a token {token!r}")


def _wrap(session: Any, call: HsmCall) -> bytes:
    template = [
        (PyKCS11.CKA_CLASS, PyKCS11.CKO_SECRET_KEY),
        (PyKCS11.CKA_KEY_TYPE, PyKCS11.CKK_AES),
        (PyKCS11.CKA_VALUE_LEN, 32),
        (PyKCS11.CKA_TOKEN, True),
        (PyKCS11.CKA_PRIVATE, True),
        (PyKCS11.CKA_SENSITIVE, True),
        (PyKCS11.CKA_EXTRACTABLE, False),
        (PyKCS11.CKA_ENCRYPT, True),
        (PyKCS11.CKA_DECRYPT, True),
        (PyKCS11.CKA_ID, call.key_id),
        (PyKCS11.CKA_LABEL, KEY_LABEL),
    ]
    key = session.generateKey(template, PyKCS11.MechanismAESGENERATEKEY)
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + bytes(session.encrypt(key, call.content, _mechanism(nonce, call.key_id)))


def _unwrap(session: Any, call: HsmCall) -> bytes:
    nonce, ciphertext = call.content[:NONCE_BYTES], call.content[NONCE_BYTES:]
    return bytes(session.decrypt(_key(session, call.key_id), ciphertext, _mechanism(nonce, call.key_id)))


def _destroy(session: Any, call: HsmCall) -> bytes:
    session.destroyObject(_key(session, call.key_id))
    return b""


def _key(session: Any, key_id: bytes) -> Any:
    found = session.findObjects([(PyKCS11.CKA_CLASS, PyKCS11.CKO_SECRET_KEY), (PyKCS11.CKA_ID, key_id)])
    if len(found) != 1:
        raise SealedError("the HSM does not have the key of this seal")
    return found[0]


def _mechanism(nonce: bytes, key_id: bytes) -> Any:
    return PyKCS11.AES_GCM_Mechanism(nonce, encode_fields("sealwright root wrapping key", 1, key_id), TAG_BITS)


_OPERATIONS = {"wrap": _wrap, "unwrap": _unwrap, "destroy": _destroy}

if __name__ == "__main__":
    sys.exit(main())
