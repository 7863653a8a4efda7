"""Writes and reads backups, and undoes a restore that failed."""
