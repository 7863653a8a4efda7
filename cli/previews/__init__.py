"""What a change does, as a table, as a comment and as a document."""
