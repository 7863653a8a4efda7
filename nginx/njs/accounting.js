// Counts what became of every call, and tells the service's breaker.
import breaker from 'njs/breaker.js';

const COUNTERS = ngx.shared.counters;
// A client that left; a service that was not there, or broke off; one that took too long.
const OUTCOMES = ['499', '502', '504'];
// The last two, when they are the gateway's own answers.
const SERVICE_FAILED = ['service_down', 'service_timeout'];
// No service may have this name.
const OWN = 'gateway';

// The service's own answers have been recorded when they began.
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

// Once per request, when it is logged: counts it, and tells the service's breaker. Returns the breaker's state; ''
// without a service.
function account(r) {
    const v = r.variables;
    const service = v.service || '';
    const status = v.status;
    const label = service || OWN;
    try {
        COUNTERS.incr(`requests|${label}|${v.client || ''}|${status}`, 1, 0);
        COUNTERS.incr(`seconds|${label}`, Number(v.request_time), 0);
        if (service && OUTCOMES.includes(status)) {
            recordOutcome(r, service, status);
        }
    } catch (error) {
        // A full zone must not cost a line of the log.
        r.log(`not counted: ${error}`);
    }
    return service && breaker.state(service);
}

export default { OWN, account };
