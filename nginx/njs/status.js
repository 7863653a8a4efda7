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

// Returns the details of each configured service, and of the hub, by name.
function details() {
    const lastFindings = health.findings();
    const result = {};
    health.checked().forEach((service) => {
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
    const ofServices = {};
    Array.from(topology.services).forEach((service) => {
        const found = all[service.name];
        ofServices[service.name] = found;
        services[service.name] = ['up', 'degraded'].includes(found.state) ? 'healthy' : 'unhealthy';
    });
    const body = { gateway: 'running', timestamp: Math.floor(Date.now() / 1000), services, details: ofServices };
    if (topology.hub) {
        body.hub = all[topology.hub.name];
    }
    r.headersOut['Content-Type'] = 'application/json';
    r.headersOut['Cache-Control'] = 'no-store';
    r.return(200, JSON.stringify(body) + '\n');
}

export default { details, report };
