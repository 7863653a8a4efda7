"""Offers agents what the lock of a foreign server has, and passes their requests to that server."""
