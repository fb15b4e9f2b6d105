"""Outgoing connections: the only room that opens any."""
