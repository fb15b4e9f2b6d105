"""What is killed: each flow with what it stands on, its acts, and what a repetition may leave more of."""

from collections.abc import Callable
from dataclasses import dataclass

from support.killed import approved, custody, device, server
from support.killed.world import World

ALWAYS = frozenset({"rows of access_token", "rows of enrolment", "rows of log_map_page", "rows of pooled_key"})
"""A device that lost a token asks for another one; a challenge that nobody answers ends; pages of the map follow from chance;
the pool is filled when it is looked after."""


@dataclass(frozen=True)
class Flow:
    """One flow.

    Attributes:
        act: Killed, and then repeated by the same clients with the same idempotency keys.
        prepare: What it stands on.
        varies: What there may be more of after a repetition.
        has_server: False for what makes one.
    """

    act: Callable[[World], None]
    prepare: Callable[[World], None] = lambda _world: None
    varies: frozenset[str] = ALWAYS
    has_server: bool = True


FLOWS = {
    "init": Flow(server.initialize, has_server=False),
    "provision": Flow(custody.provision),
    "set-up": Flow(device.set_up, varies=ALWAYS | {"rows of outbox_item"}),
    "device-states": Flow(device.change_states, device.two_devices),
    "rotate": Flow(custody.rotate),
    "rotate-all": Flow(custody.rotate_all),
    "key-states": Flow(custody.change_states),
    "holds": Flow(custody.hold),
    "import": Flow(device.import_key, device.one_device),
    "remote-decrypt": Flow(device.decrypt_remotely, device.remote_device),
    "storage-key": Flow(server.rotate_storage_key),
    "rekey": Flow(server.rekey),
    "shared": Flow(custody.share),
    "remove-person": Flow(custody.remove_person, device.two_devices),
    "refresh": Flow(server.refresh),
    "policy": Flow(approved.strengthen_policy),
    "roles": Flow(approved.change_role, approved.officers),
    "weaker-policy": Flow(approved.weaken_policy, approved.officers_of_strict_policy),
    "recovery": Flow(approved.recover_history, approved.officers),
    "messages": Flow(approved.recover_messages, approved.officers),
    "exit": Flow(approved.leave, approved.officers),
    "backup": Flow(server.back_up),
    "restore": Flow(server.restore, server.back_up),
}
