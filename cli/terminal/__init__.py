"""Shows messages and progress on the terminal, and reports usage errors and crashes."""
