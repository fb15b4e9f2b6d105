"""The configuration of the example mail system: what Dovecot and Postfix are told, as text."""

from dataclasses import dataclass
from pathlib import Path

MAIL_USER = "nobody"
MAIL_GROUP = "nogroup"
"""Owner of the mailboxes: an account of every Debian that cannot log in."""


@dataclass(frozen=True, slots=True)
class MailLayout:
    """Where everything of one mail system lies.

    Attributes:
        folder: Holds the rest; other accounts can pass through it.
        domain: Whose mail is delivered.
        tls_certificate: PEM file with the chain.
        tls_key: PEM file.
        imap_port: IMAP over TLS.
        lmtp_port: From Postfix to Dovecot.
        submission_port: STARTTLS and log-in required.
        submissions_port: The same with TLS from the first octet.
        smtp_port: In clear, without log-in, for programs of this machine; this domain's mailboxes only.
    """

    folder: Path
    domain: str
    tls_certificate: Path
    tls_key: Path
    imap_port: int
    lmtp_port: int
    submission_port: int
    submissions_port: int
    smtp_port: int

    @property
    def mail(self) -> Path:
        """One Maildir per address."""
        return self.folder / "mail"

    @property
    def run(self) -> Path:
        """Dovecot's sockets."""
        return self.folder / "run"

    @property
    def passwords(self) -> Path:
        """Dovecot's passdb."""
        return self.folder / "passwd"

    @property
    def dovecot(self) -> Path:
        """Dovecot's configuration file."""
        return self.folder / "dovecot.conf"

    @property
    def postfix(self) -> Path:
        """Postfix's configuration folder."""
        return self.folder / "postfix"

    @property
    def queue(self) -> Path:
        """Postfix's queue."""
        return self.folder / "queue"

    @property
    def data(self) -> Path:
        """Postfix's data folder."""
        return self.folder / "data"

    @property
    def maillog(self) -> Path:
        """What Postfix says."""
        return self.folder / "maillog"


def dovecot_conf(layout: MailLayout, version: tuple[int, ...]) -> str:
    """Return Dovecot's configuration in the dialect of its version (2.3 and 2.4 share few names)."""
    dialect = _dovecot_2_4(layout, version) if version >= (2, 4) else _dovecot_2_3(layout)
    return f"""{dialect}
base_dir = {layout.run}
state_dir = {layout.run}/state
log_path = {layout.folder}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = required
auth_mechanisms = plain login
auth_failure_delay = 0
first_valid_uid = 1

namespace inbox {{
  inbox = yes
  mailbox Junk {{
    special_use = \\Junk
    auto = create
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {layout.imap_port}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {layout.lmtp_port}
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  unix_listener {layout.queue}/private/auth {{
    mode = 0660
    user = postfix
    group = postfix
  }}
}}
"""


def _dovecot_2_3(layout: MailLayout) -> str:
    return f"""ssl_cert = <{layout.tls_certificate}
ssl_key = <{layout.tls_key}
disable_plaintext_auth = yes
mail_location = maildir:{layout.mail}/%u
passdb {{
  driver = passwd-file
  args = username_format=%u {layout.passwords}
}}
userdb {{
  driver = static
  args = uid={MAIL_USER} gid={MAIL_GROUP} home={layout.mail}/%u
}}
"""


def _dovecot_2_4(layout: MailLayout, version: tuple[int, ...]) -> str:
    written_for = ".".join(str(number) for number in version)
    return f"""dovecot_config_version = {written_for}
dovecot_storage_version = {written_for}
ssl_server_cert_file = {layout.tls_certificate}
ssl_server_key_file = {layout.tls_key}
auth_allow_cleartext = no
mail_driver = maildir
mail_path = {layout.mail}/%{{user}}
passdb passwd-file {{
  passwd_file_path = {layout.passwords}
}}
userdb static {{
  fields {{
    uid = {MAIL_USER}
    gid = {MAIL_GROUP}
    home = {layout.mail}/%{{user}}
  }}
}}
"""


def main_cf(layout: MailLayout) -> str:
    """Return Postfix's main.cf: this domain's mailboxes and nothing else; no mail leaves the machine."""
    users = f"texthash:{layout.postfix}/users"
    return f"""compatibility_level = 3.6
queue_directory = {layout.queue}
data_directory = {layout.data}
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {layout.maillog}
maillog_file_prefixes = {layout.folder}
myhostname = mail.{layout.domain}
mydomain = {layout.domain}
myorigin = {layout.domain}
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = {layout.domain}
virtual_mailbox_maps = {users}
virtual_transport = lmtp:inet:127.0.0.1:{layout.lmtp_port}
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions =
smtpd_tls_cert_file = {layout.tls_certificate}
smtpd_tls_key_file = {layout.tls_key}
smtpd_tls_mandatory_protocols = >=TLSv1.2
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sender_login_maps = {users}
message_size_limit = 52428800
biff = no
smtpd_error_sleep_time = 0
smtputf8_enable = yes
"""


def master_cf(layout: MailLayout) -> str:
    """Return Postfix's master.cf: three listeners and the daemons behind them, none in a chroot."""
    account = (
        "  -o smtpd_sasl_auth_enable=yes -o smtpd_tls_auth_only=yes -o smtpd_tls_security_level=encrypt\n"
        "  -o smtpd_client_restrictions=permit_sasl_authenticated,reject\n"
        "  -o smtpd_sender_restrictions=reject_sender_login_mismatch\n"
    )
    return (
        f"127.0.0.1:{layout.smtp_port} inet n - n - - smtpd -o smtpd_tls_security_level=none\n"
        f"127.0.0.1:{layout.submission_port} inet n - n - - smtpd\n{account}"
        f"127.0.0.1:{layout.submissions_port} inet n - n - - smtpd\n{account}"
        "  -o smtpd_tls_wrappermode=yes\n"
        """cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
    )
