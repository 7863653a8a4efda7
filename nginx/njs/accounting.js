// Counts the outcome of every call and reports it to the service's breaker.
import breaker from 'njs/breaker.js';
import durations from 'njs/durations.js';
import outcomes from 'njs/outcomes.js';

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

// Returns the tool that a request calls, by the name that the service gives it; '' if the request calls none, or if the
// gateway does not know it. Callers can send any name, so that only known names may become labels of metrics.
function calledTool(v, service) {
    const tool = v.tool;
    const known = scopes.tools[service];
    return tool && known && known.includes(`\n${tool}\n`) ? tool : '';
}

// Adds a request to the counters and to the histogram. `label` is its service, or GATEWAY. Users of an identity provider
// count as the configured client whose permissions they have, because their number is not bounded.
function count(v, label, status) {
    const client = v.client_entry || '';
    COUNTERS.incr(`requests|${label}|${client}|${status}`, 1, 0);
    const outcome = outcomes.outcome(v);
    durations.record(label, outcome, Number(v.request_time));
    const tool = client ? calledTool(v, label) : '';
    if (tool) {
        COUNTERS.incr(`tools|${label}|${tool}|${client}|${outcome}`, 1, 0);
    }
}

// Runs once per request, when it is logged: counts it and reports it to the breaker. Returns the breaker's state, or ''
// if the request is for no service.
function account(r) {
    const v = r.variables;
    const service = v.service || '';
    const status = outcomes.status(v);
    const label = service || GATEWAY;
    try {
        if (v.logged !== '0') {
            count(v, label, status);
        }
        if (service && OUTCOMES.includes(status)) {
            recordOutcome(r, service, status);
        }
    } catch (error) {
        // The request is logged even if the zone is full.
        r.log(`not counted: ${error}`);
    }
    return service && breaker.state(service);
}

// Returns '1' if the console answered the last check, '0' if it did not, '' before there was one.
function consoleState() {
    return ngx.shared.health.get('console') || '';
}

export default { GATEWAY, account, consoleState };
