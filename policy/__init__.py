"""Holds the policy pack: rules that every stack keeps, checked at each update."""
