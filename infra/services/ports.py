"""Defines the ports inside the containers of the gateway and of Redis; no service has a port of the gateway."""

HTTP_PORT, HTTPS_PORT, DEVELOPMENT_PORT = 80, 443, 8080
REDIS_PORT = 6379
#: The gateway passes calls on this port to Prometheus.
MONITORING_PORT = 9090
#: On this port the gateway serves its own metrics and those of the services to Prometheus.
METRICS_PORT = 10090
#: On these ports Alertmanager and the sender of alerts listen, in the network of Prometheus.
ALERTMANAGER_PORT, ALERT_SENDER_PORT = 9093, 8094
#: On this port the hub's containers listen.
HUB_PORT = 8070
#: On this port the gateway passes the hub's calls to the services.
RELAY_PORT = 10070
GATEWAY_PORTS = (HTTP_PORT, HTTPS_PORT, DEVELOPMENT_PORT, MONITORING_PORT, 10080, METRICS_PORT, RELAY_PORT)
