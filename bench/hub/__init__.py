"""Measures the hub, beside other programs that offer the tools of several servers at one address."""
