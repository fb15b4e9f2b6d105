"""Cryptographic Message Syntax (RFC 5652, RFC 5083): SignedData and EnvelopedData. Pure."""
