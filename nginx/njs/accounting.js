// Counts the outcome of every call and reports it to the service's breaker.
import breaker from 'njs/breaker.js';

const COUNTERS = ngx.shared.counters;
// The client closed the connection; the service could not be reached or broke off; the service took too long.
const OUTCOMES = ['499', '502', '504'];
// The gateway's own errors for 502 and 504.
const SERVICE_FAILED = ['service_down', 'service_timeout'];
// The label of requests to the gateway itself; no service may have this name.
const GATEWAY = 'gateway';

// Reports failures to the breaker. Responses of the service were reported when they began.
function recordOutcome(r, service, status) {
    const v = r.variables;
    if (status === '499') {
        if (v.upstream_addr) {
            breaker.abandoned(service, r);
        }
    } else if (SERVICE_FAILED.includes(v.gateway_error) && breaker.failed(service, r)) {
        COUNTERS.incr(`opened|${service}`, 1, 0);
    }
}

// Runs once per request, when it is logged: counts it and reports it to the breaker. Returns the breaker's state, or ''
// if the request is for no service.
function account(r) {
    const v = r.variables;
    const service = v.service || '';
    const status = v.status;
    const label = service || GATEWAY;
    try {
        COUNTERS.incr(`requests|${label}|${v.client_entry || ''}|${status}`, 1, 0);
        COUNTERS.incr(`seconds|${label}`, Number(v.request_time), 0);
        if (service && OUTCOMES.includes(status)) {
            recordOutcome(r, service, status);
        }
    } catch (error) {
        // The request is logged even if the zone is full.
        r.log(`not counted: ${error}`);
    }
    return service && breaker.state(service);
}

export default { GATEWAY, account };
