"""The ports inside the gateway's container that belong to the gateway itself; a service's port is another number."""

#: Where Prometheus is, behind the gateway.
MONITORING_PORT = 9090
#: Where the gateway tells Prometheus of itself and of the services.
METRICS_PORT = 10090
GATEWAY_PORTS = (80, 443, 8080, MONITORING_PORT, 10080, METRICS_PORT)
