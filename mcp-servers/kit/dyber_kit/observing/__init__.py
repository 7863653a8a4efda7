"""This package writes log lines, counts metrics and sends spans."""
