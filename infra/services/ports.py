"""The ports inside containers: those of the gateway itself, from which each service's port differs, and Redis'."""

HTTP_PORT, HTTPS_PORT, DEVELOPMENT_PORT = 80, 443, 8080
REDIS_PORT = 6379
#: Where Prometheus is, behind the gateway.
MONITORING_PORT = 9090
#: Where the gateway tells Prometheus of itself and of the services.
METRICS_PORT = 10090
GATEWAY_PORTS = (HTTP_PORT, HTTPS_PORT, DEVELOPMENT_PORT, MONITORING_PORT, 10080, METRICS_PORT)
