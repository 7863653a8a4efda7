"""This package handles a call: its declared arguments, its deadline, its confirmation and its answer."""
