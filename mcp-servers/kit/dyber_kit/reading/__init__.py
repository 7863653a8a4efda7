"""This package keeps what was read of a platform, and returns its lists part by part."""
