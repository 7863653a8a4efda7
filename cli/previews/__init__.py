"""Shows what a deployment would change: a table, a comment for a pull request, and a preview without secrets."""
