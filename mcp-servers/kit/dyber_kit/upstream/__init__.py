"""Access to platforms: HTTP, pace, pauses after refusals, cached answers, clean text, privacy."""
