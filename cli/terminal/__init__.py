"""What people see on the terminal: messages, progress, usage errors, crashes."""
