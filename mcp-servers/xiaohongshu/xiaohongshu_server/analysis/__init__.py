"""This package gathers a sample of notes and computes figures about it."""
