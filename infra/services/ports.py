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
#: On these ports the console listens for pages and for spans.
CONSOLE_PORT, CONSOLE_SPANS_PORT = 8071, 4318
#: On this port the gateway serves the console, and passes its calls to the services.
CONSOLE_GATEWAY_PORT = 10071
#: On this port the gateway takes spans from the services and the hub, for the console.
SPANS_PORT = 10318
GATEWAY_PORTS = (
    *(HTTP_PORT, HTTPS_PORT, DEVELOPMENT_PORT, MONITORING_PORT, 10080, METRICS_PORT, RELAY_PORT),
    *(CONSOLE_GATEWAY_PORT, SPANS_PORT),
)
