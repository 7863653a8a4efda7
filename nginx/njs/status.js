// Answers /api/status from the last readiness checks, without a request to a service.
import breaker from 'njs/breaker.js';
import health from 'njs/health.js';

function detail(name, replicas, findings) {
    const ready = findings.filter((finding) => finding.ok).length;
    const shown = findings.find((finding) => finding.ok) || findings[0];
    const state = breaker.state(name);
    const isUp = ready === replicas && state === 'closed';
    return {
        state: ready === 0 ? 'down' : isUp ? 'up' : 'degraded',
        code: shown.code,
        latency_ms: shown.ms,
        version: shown.version,
        tools: shown.tools,
        breaker: state,
        replicas: { ready, total: replicas },
    };
}

function unknownDetail(name, replicas) {
    return {
        state: 'unknown',
        code: null,
        latency_ms: null,
        version: null,
        tools: null,
        breaker: breaker.state(name),
        replicas: { ready: 0, total: replicas },
    };
}

// Returns the details of each configured service by name.
function details() {
    const lastFindings = health.findings();
    const result = {};
    Array.from(topology.services).forEach((service) => {
        const findings = (lastFindings[service.name] || []).slice(0, service.replicas)
            .filter((finding) => finding !== null);
        result[service.name] = findings.length
            ? detail(service.name, service.replicas, findings) : unknownDetail(service.name, service.replicas);
    });
    return result;
}

function report(r) {
    const all = details();
    const services = {};
    Object.keys(all).forEach((name) => {
        services[name] = ['up', 'degraded'].includes(all[name].state) ? 'healthy' : 'unhealthy';
    });
    const body = { gateway: 'running', timestamp: Math.floor(Date.now() / 1000), services, details: all };
    r.headersOut['Content-Type'] = 'application/json';
    r.headersOut['Cache-Control'] = 'no-store';
    r.return(200, JSON.stringify(body) + '\n');
}

export default { details, report };
