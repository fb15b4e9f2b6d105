"""Organizations, people, mailboxes, devices, mailbox proof, tokens."""
