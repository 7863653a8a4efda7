"""This package reads the arguments of a call by the rules of their declarations."""
