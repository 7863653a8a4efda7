"""Takes in what the gateway, the services and deployments tell: logs, spans, states, metrics and files."""
