"""Side effects written in the act's own transaction, carried out by a worker with retries."""
