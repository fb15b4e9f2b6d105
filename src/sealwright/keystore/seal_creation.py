"""A new seal, of each kind."""

from dataclasses import dataclass, field
from pathlib import Path

from sealwright.errors import ConfigurationError, ConflictError
from sealwright.keystore.hsm import read_pin
from sealwright.keystore.key_file import create_root_key, new_root_key
from sealwright.keystore.seal import create_seal, new_emergency_key
from sealwright.keystore.seal_change import MIN_OPERATORS, TOO_FEW_OPERATORS, wrap_in_hsm
from sealwright.keystore.seal_file import KeyFileRoot, Root, SharedRoot, split_secret
from sealwright.keystore.seal_options import SealOptions
from sealwright.keystore.shares import encode_share
from sealwright.wire.seal import SealKind


@dataclass(frozen=True, slots=True)
class SealPlan:
    """What a new seal is to be.

    Attributes:
        kind: How its root wrapping key is kept.
        shares: Operator shares, for "shamir"; else 0.
        threshold: How many of them open it.
        emergency_shares: Of the emergency key.
        emergency_threshold: How many of them open it.
    """

    kind: SealKind
    shares: int
    threshold: int
    emergency_shares: int
    emergency_threshold: int


@dataclass(frozen=True, slots=True)
class CreatedSeal:
    """Shares as people write them down, each for another person.

    Attributes:
        operator: That open the seal; none unless its kind is "shamir".
        emergency: That open it when its root wrapping key is lost.
    """

    operator: list[str] = field(repr=False)
    emergency: list[str] = field(repr=False)


def create(options: SealOptions, plan: SealPlan) -> CreatedSeal:
    """Make a root wrapping key and a seal.

    Raises:
        ConflictError: If the seal file or the key file exists.
        ConfigurationError: If shares and threshold do not fit, or no HSM is named.
        SealedError: If the HSM refuses.
    """
    # 1 What can be wrong is found before anything is written.
    path, operator = Path(options.seal_file), list[str]()
    if path.exists():
        raise ConflictError(f"{path} exists and is never overwritten")
    emergency, emergency_shares = new_emergency_key(plan.emergency_shares, plan.emergency_threshold)
    # 2 The root wrapping key.
    root: Root = KeyFileRoot()
    if plan.kind == "key-file":
        root_key = create_root_key(Path(options.key_file))
    elif plan.kind == "shamir":
        root_key = new_root_key()
        if plan.threshold < MIN_OPERATORS:
            raise ConfigurationError(TOO_FEW_OPERATORS)
        share_set, made = split_secret("operator", root_key, plan.shares, plan.threshold)
        root, operator = SharedRoot(share_set), [encode_share(share) for share in made]
    else:
        root_key = new_root_key()
        root = wrap_in_hsm(options.hsm, read_pin(Path(options.pin_file)), root_key)
    # 3 The seal over it.
    create_seal(path, root_key, root, emergency)
    return CreatedSeal(operator, [encode_share(share) for share in emergency_shares])
