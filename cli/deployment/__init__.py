"""One stack, driven through Pulumi: open, preview, update, outputs, state, locks, events."""
