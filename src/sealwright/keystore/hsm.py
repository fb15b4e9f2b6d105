"""The HSM behind a seal of kind "pkcs11": it keeps an AES-256 key that never leaves it, and wraps the root wrapping key.

It is asked at each start and each change of the seal, and not in between.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from sealwright.errors import SealedError
from sealwright.keystore.frames import decode_reply
from sealwright.keystore.seal_options import Hsm

HSM_SECONDS = 60.0
_ENVIRONMENT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "OPENSSL_CONF", "OPENSSL_MODULES")
_VENDOR_PREFIXES = ("SOFTHSM2_", "ChrystokiConfigurationPath", "CKNFAST_", "NFAST_", "CS_PKCS11_", "YUBIHSM_", "P11_")
"""Environment by which PKCS#11 modules find their settings."""


class HsmCall(Struct, frozen=True):
    """What the HSM's process is asked.

    Attributes:
        module: Path of the vendor's PKCS#11 library.
        token: Label of the token.
        pin: Of its user.
        operation: "wrap" makes a new key of this CKA_ID and wraps 32 octets; "unwrap"; "destroy" the key.
        key_id: CKA_ID, 16 octets.
        content: To wrap or unwrap.
    """

    module: str
    token: str
    pin: str
    operation: Literal["wrap", "unwrap", "destroy"]
    key_id: bytes
    content: bytes

    def __repr__(self) -> str:
        """Say nothing of PIN and content."""
        return f"HsmCall({self.operation})"


def process_environment() -> dict[str, str]:
    """Return what the processes of the keystore get of the server's environment: nothing that could be a secret."""
    return {name: os.environ[name] for name in os.environ if name in _ENVIRONMENT or name.startswith(_VENDOR_PREFIXES)}


def ask_hsm(
    hsm: Hsm, pin: str, operation: Literal["wrap", "unwrap", "destroy"], key_id: bytes, content: bytes = b""
) -> bytes:
    """Carry out one operation.

    Returns:
        "wrap": nonce (12) || AES-256-GCM ciphertext || tag (16). "unwrap": the root wrapping key. "destroy": nothing.

    Raises:
        ConfigurationError: If the module cannot be loaded.
        SealedError: If the HSM refuses, does not answer, or lacks token or key.
    """
    call = HsmCall(hsm.module, hsm.token, pin, operation, key_id, content)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "sealwright.keystore.hsm_process"],
            input=msgspec.msgpack.encode(call),
            stdout=subprocess.PIPE,
            env=process_environment(),
            timeout=HSM_SECONDS,
            check=False,
        )
        answer: bytes = decode_reply(done.stdout, bytes)
    except subprocess.TimeoutExpired as error:
        raise SealedError("the HSM does not answer") from error
    except msgspec.MsgspecError as error:
        raise SealedError("the PKCS#11 module crashed; see what it wrote to the server's error output") from error
    return answer


def read_pin(path: Path) -> str:
    """Read the PIN from its file, one line.

    Raises:
        SealedError: If it cannot be read, or is open to others.
    """
    try:
        mode, pin = path.stat().st_mode, path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SealedError(f"the PIN of the HSM cannot be read from {path}") from error
    if mode & 0o077:
        raise SealedError(f"{path} is open to others: set its mode to 0600")
    return pin
