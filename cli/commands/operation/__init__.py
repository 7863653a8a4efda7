"""Commands about what runs: start, stop, status, logs."""
