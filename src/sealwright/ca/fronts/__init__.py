"""The CA's protocols, one module each."""
