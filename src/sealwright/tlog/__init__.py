"""The transparency log's formats: leaves, Merkle tree, checkpoints, tiles and proofs. Pure."""
