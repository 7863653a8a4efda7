"""This package computes figures about samples of what was read of a platform."""
