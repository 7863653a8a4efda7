"""Reads the cookies that people paste, in the forms that browsers and tools export."""
