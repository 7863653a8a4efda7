"""Adding a service is adding a folder, removing one is taking it away: the commands for it, and what they decide."""
