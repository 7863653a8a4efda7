"""Settings and services become text: the configuration of the gateway and of Prometheus."""
