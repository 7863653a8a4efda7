"""Answers what needs no service: lists, their pages, and what agents are told about an address."""
