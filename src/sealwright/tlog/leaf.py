"""What a leaf says and how it is hidden: a canonical record under a salted commitment.

A record is JSON with sorted keys, no white space, ASCII only, and strings and integers as values, so that one record has
one encoding. The log holds HMAC-SHA256(salt, record): whoever has no salt learns nothing, the owner gets salt and record
and can check both. Records of one chain (a mailbox, or the organization) carry their number and the commitment before
them: nothing can be left out of a chain without breaking it.
"""

import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from sealwright.errors import DecodingError

SALT_BYTES = 32
MAX_RECORD_BYTES = 64 * 1024
ORGANIZATION_CHAIN = "organization"
"""Chain of acts that belong to no mailbox: policy, officers, issuers, imports."""


@dataclass(frozen=True, slots=True)
class LeafRecord:
    """One act.

    Attributes:
        kind: `subject.action`, such as "key.release".
        organization_id: 32 hex digits.
        chain_id: A mailbox's id, or `ORGANIZATION_CHAIN`.
        chain_number: 1 for the first record of the chain.
        previous: Commitment of the record before in this chain, 32 octets; 32 zero octets for the first.
        time: Aware UTC, whole seconds in the encoding.
        fields: What else the act was about; keys and values ASCII.
    """

    kind: str
    organization_id: str
    chain_id: str
    chain_number: int
    previous: bytes
    time: datetime
    fields: dict[str, str]

    def encode(self) -> bytes:
        """Return the canonical JSON."""
        return json.dumps(
            {
                "chain": self.chain_id,
                "fields": self.fields,
                "kind": self.kind,
                "number": self.chain_number,
                "organization": self.organization_id,
                "previous": self.previous.hex(),
                "time": self.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "version": 1,
            },
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=True,
        ).encode("ascii")


def decode_leaf_record(encoded: bytes) -> LeafRecord:
    """Decode a canonical record.

    Raises:
        DecodingError: If it is not a record of version 1, or not in canonical form.
    """
    if len(encoded) > MAX_RECORD_BYTES:
        raise DecodingError("the leaf record is too large")
    try:
        document = json.loads(encoded)
        record = LeafRecord(
            kind=_text(document["kind"]),
            organization_id=_text(document["organization"]),
            chain_id=_text(document["chain"]),
            chain_number=int(document["number"]),
            previous=bytes.fromhex(document["previous"]),
            time=datetime.strptime(document["time"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC),
            fields={_text(name): _text(value) for name, value in document["fields"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DecodingError("not a leaf record") from error
    if record.encode() != encoded:
        raise DecodingError("the leaf record is not in canonical form")
    return record


def commit(salt: bytes, record: bytes) -> bytes:
    """Return the commitment HMAC-SHA256(salt, record), 32 octets: the leaf's data in the log.

    Raises:
        ValueError: If the salt has not 32 octets.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError("a salt has 32 octets")
    return hmac.digest(salt, record, "sha256")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise DecodingError("a leaf record holds text only")
    return value
