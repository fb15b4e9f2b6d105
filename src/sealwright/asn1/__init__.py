"""ASN.1: the BER reader and the encodings shared by the formats above it."""
