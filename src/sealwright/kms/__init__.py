"""Key management: archived encryption keys, generations, releases."""
