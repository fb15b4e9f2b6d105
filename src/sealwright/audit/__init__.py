"""The append-only log over storage and tlog: pending leaves, sequencer, checkpoints."""
