"""Shows one deployment in a browser: whether it is well, what to do if not, who calls what, and what agents see.

The console stands alone: it knows the gateway's addresses and the formats of what it is sent, and imports nothing of the
program, the command and the servers.
"""
