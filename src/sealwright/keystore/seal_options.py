"""Where a seal and its root wrapping key are."""

from msgspec import Struct


class Hsm(Struct, frozen=True):
    """Where an HSM is.

    Attributes:
        module: Path of the vendor's PKCS#11 library.
        token: Label of the token.
    """

    module: str
    token: str


class SealOptions(Struct, frozen=True):
    """Where everything is; travels to the seal process as JSON.

    Attributes:
        seal_file: What `keystore.seal_creation.create` made.
        key_file: Root wrapping key of the kind "key-file".
        hsm: Of the kind "pkcs11"; None if there is none.
        pin_file: That holds the HSM's PIN; empty if people enter it.
    """

    seal_file: str
    key_file: str
    hsm: Hsm | None = None
    pin_file: str = ""
