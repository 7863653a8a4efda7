"""Renders what the console is given: the files of a deployment, its scope as a client, and the hash of its password."""
