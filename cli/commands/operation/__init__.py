"""Commands about the running containers: start, stop, restart, status, ps, list, logs, exec."""
