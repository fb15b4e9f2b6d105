"""The example mail system for tests; the demo runs the same."""

from demo.mail_system import MailSystem, MailSystemError, why_not

__all__ = ["MailSystem", "MailSystemError", "why_not"]
