"""Request and answer types of the seal on the operator interface (`/local/seal`)."""

from sealwright.wire.api import Answer
from sealwright.wire.encoding import AwareDatetime


class RotationStatus(Answer, frozen=True, kw_only=True):
    """How far the re-sealing under the newest storage key is.

    Attributes:
        storage_key_version: What new records are sealed with.
        introduced: When this server first saw that version; None shortly after it was made.
        rewrapped_records: Re-sealed under it so far.
        remaining_records: Sealed under an older version still.
        rewrapped: When nothing was left; None while it goes on.
    """

    storage_key_version: int
    introduced: AwareDatetime | None
    rewrapped_records: int
    remaining_records: int
    rewrapped: AwareDatetime | None


class SealStatus(Answer, frozen=True, kw_only=True):
    """GET /local/seal.

    Attributes:
        kind: "key-file".
        state: "open".
        rotation: Of the storage key.
    """

    kind: str
    state: str
    rotation: RotationStatus | None
