"""Calls the HTTP API of a platform: requests, answers, errors, paging, credentials, limits and quotas."""
