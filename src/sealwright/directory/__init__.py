"""Recipients' certificates by exact address."""
