"""Keeps what happened in a SQLite file of bounded size: calls, spans, sums, changes of state, sessions."""
