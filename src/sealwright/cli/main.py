"""The command line. Modules of commands are loaded when a command is used, so that client commands load no server."""

import importlib
import io
import sys

import click

from sealwright.cli.exit_codes import exit_code
from sealwright.cli.output import print_error
from sealwright.errors import SealwrightError

_COMMANDS: dict[str, tuple[str, str]] = {
    # this device
    "setup": ("sealwright.cli.setup:setup", "Set up this device for a mailbox, or go on with it."),
    "send": ("sealwright.cli.mail:send", "Sign, encrypt and send a mail."),
    "read": ("sealwright.cli.mail:read", "List the inbox, or read one mail."),
    "reply": ("sealwright.cli.reply:reply", "Answer a mail, encrypted."),
    "forward": ("sealwright.cli.reply:forward", "Pass a mail on, encrypted."),
    "held": ("sealwright.cli.mail:held", "Mails that were kept back: list, retry, drop."),
    "message": ("sealwright.cli.message:message", "Encrypt, decrypt, sign, verify a mail on standard input."),
    "decrypt-mailbox": ("sealwright.cli.mailbox_decryption:decrypt_mailbox", "Decrypt a whole mailbox for good."),
    "encrypt": ("sealwright.cli.documents:encrypt", "Encrypt a file."),
    "decrypt": ("sealwright.cli.documents:decrypt", "Decrypt a file."),
    "sign": ("sealwright.cli.documents:sign", "Sign a file."),
    "countersign": ("sealwright.cli.documents:countersign", "Sign the signatures of a file."),
    "verify": ("sealwright.cli.documents:verify", "Verify the signature of a file."),
    "timestamp": ("sealwright.cli.timestamp:timestamp", "Put a timestamp on the signature of a file."),
    "devices": ("sealwright.cli.devices:devices", "The devices of the mailbox: list, approve, lock, unlock, remove."),
    "protection-password": (
        "sealwright.cli.protection_password:protection_password",
        "Set a new protection password of the mailbox.",
    ),
    "exit": ("sealwright.cli.exits:exit_group", "All keys of the organization, under a quorum: request, fetch."),
    "approvals": ("sealwright.cli.approvals:approvals", "What others proposed: list, show, approve, veto."),
    "recovery": ("sealwright.cli.recovery:recovery", "Keys of another mailbox, approved by several officers."),
    "keys": (
        "sealwright.cli.keys:keys",
        "The keys of the mailbox: list, import, export; --data: of anybody, in custody.",
    ),
    "inspect": ("sealwright.cli.inspect:inspect", "Explain a message file, without a server or a device."),
    "certificate": ("sealwright.cli.certificate:certificate", "Show certificates; validate their paths."),
    "log": ("sealwright.cli.log:log", "Check the log: who got the keys of the mailbox."),
    # the server
    "init": ("sealwright.cli.server_commands:init", "Make the data folder of a server."),
    "serve": ("sealwright.cli.server_commands:serve", "Run the server."),
    "check-config": ("sealwright.cli.server_commands:check_config", "Check a server's settings."),
    "upgrade": ("sealwright.cli.server_commands:upgrade", "Bring a server's database to this program's schema."),
    "renew-statement-key": ("sealwright.cli.server_commands:renew_statement_key", "Delegate a new statement key."),
    "backup": ("sealwright.cli.server_commands:backup", "Back a server up."),
    "restore": ("sealwright.cli.server_commands:restore", "Restore a server from a backup."),
    "backup-drill": ("sealwright.cli.server_commands:backup_drill", "Prove that a backup can be restored."),
    "lift-quarantine": ("sealwright.cli.server_commands:lift_quarantine", "Put a restored server to work."),
    # the server's operator
    "people": (
        "sealwright.cli.operator_commands:people",
        "The organization's people: import, list, remove, rotate, old keys.",
    ),
    "invite": ("sealwright.cli.operator_commands:invite", "Write the invitation file for devices."),
    "tls-certificate": ("sealwright.cli.operator_commands:tls_certificate", "Certify a TLS server."),
    "sign-in-link": ("sealwright.cli.operator_commands:sign_in_link", "Make a link to the console."),
    "status": ("sealwright.cli.operator_commands:status", "Show how the server is."),
    "roles": ("sealwright.cli.roles:roles", "Who has which role: list, appoint, dismiss."),
    "shared": ("sealwright.cli.shared:shared", "Shared mailboxes: create, list, join, leave."),
    "hold": ("sealwright.cli.key_custody:hold", "Legal holds: set, lift, list."),
    "seal": ("sealwright.cli.seal_change:seal", "The seal over all keys: open, close, rotate, change."),
    "policy": ("sealwright.cli.policy:policy", "What a device has to show before it gets keys."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported by name from the table."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the table's order."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import and return a command; None if there is none of this name.

        Raises:
            click.ClickException: If its module needs a part that is not installed.
        """
        if cmd_name not in _COMMANDS:
            return None
        module_name, attribute = _COMMANDS[cmd_name][0].split(":")
        try:
            command = getattr(importlib.import_module(module_name), attribute)
        except ModuleNotFoundError as error:
            message = f"`{cmd_name}` needs {error.name}; install sealwright[server] for the server's commands"
            raise click.ClickException(message) from error
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_target, text) in _COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sealwright")
def cli() -> None:
    """S/MIME that is switched on by itself."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit; errors are one line on standard error and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # not every locale has the letters of every mail
    try:
        cli.main(args=arguments, prog_name="sealwright", standalone_mode=False)
    except SealwrightError as error:
        print_error(error.message)
        sys.exit(exit_code(error))
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        print_error("stopped")
        sys.exit(130)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        print_error(error.format_message())
        sys.exit(error.exit_code)
    except OSError as error:
        print_error(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
