"""This package gathers a sample of notes and computes statistics about it."""
