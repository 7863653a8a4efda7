"""Adding a service is adding a folder, removing one is taking it away: the commands that do it, and what they decide."""
