"""What client and server both know: request and answer types, the problem table, and every byte string both compute."""
