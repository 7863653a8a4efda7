"""Other programs, git and the checkout's folder."""
