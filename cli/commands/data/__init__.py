"""The commands that back up, restore, recover and delete data."""
