"""Private-key operations in processes of their own; the web process holds no key."""
