// Answers /api/status from what is known; asks no service.
import breaker from 'njs/breaker.js';
import health from 'njs/health.js';

function known(name, replicas, found) {
    const ready = found.filter((finding) => finding.ok).length;
    const shown = found.find((finding) => finding.ok) || found[0];
    const state = breaker.state(name);
    const whole = ready === replicas && state === 'closed';
    return {
        state: ready === 0 ? 'down' : whole ? 'up' : 'degraded',
        code: shown.code,
        latency_ms: shown.ms,
        version: shown.version,
        tools: shown.tools,
        breaker: state,
        replicas: { ready, total: replicas },
    };
}

function unknown(name, replicas) {
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

// What is known of each configured service, by name.
function details() {
    const findings = health.findings();
    const result = {};
    Array.from(topology.services).forEach((service) => {
        const found = (findings[service.name] || []).slice(0, service.replicas)
            .filter((finding) => finding !== null);
        result[service.name] = found.length
            ? known(service.name, service.replicas, found) : unknown(service.name, service.replicas);
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
