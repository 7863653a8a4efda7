"""Commands about data: backup, restore, recovery, deletion."""
