"""This package sends the alerts that Alertmanager groups to chat robots, Bark and webhooks."""
