// Answers /api/status with what every service's own readiness check says right now.
import catalog from 'njs/catalog.js';

const CACHE = ngx.shared.status;
// A new configuration with other services must not answer with the old one's report.
const REPORT = `report ${catalog.names.join(' ')}`;
const FRESH_MS = 2000;
const PROBE_MS = 1500;
const POLL_MS = 50;

async function probe(r, name) {
    const started = Date.now();
    const reply = await r.subrequest(`/-/gateway/probe/${name}`, { method: 'GET' });
    return { code: reply.status, latency_ms: Date.now() - started };
}

async function measure(r, names) {
    const results = await Promise.all(names.map((name) => probe(r, name)));
    const services = {};
    const details = {};
    names.forEach((name, index) => {
        services[name] = results[index].code === 200 ? 'healthy' : 'unhealthy';
        details[name] = results[index];
    });
    return { gateway: 'running', timestamp: Math.floor(Date.now() / 1000), services, details };
}

function cached() {
    const text = CACHE.get(REPORT);
    return text === undefined ? null : JSON.parse(text);
}

function isFresh(entry) {
    return entry !== null && Date.now() - entry.measured < FRESH_MS;
}

function pause() {
    return new Promise((resolve) => setTimeout(resolve, POLL_MS));
}

// One caller probes, however many ask; the others get its answer.
async function current(r) {
    const names = catalog.names;
    const deadline = Date.now() + PROBE_MS;
    do {
        const entry = cached();
        if (isFresh(entry)) {
            return entry.report;
        }
        if (CACHE.add('probing', '1', PROBE_MS)) {
            try {
                const report = await measure(r, names);
                CACHE.set(REPORT, JSON.stringify({ measured: Date.now(), report }));
                return report;
            } finally {
                CACHE.delete('probing');
            }
        }
        await pause();
    } while (Date.now() < deadline);
    return measure(r, names);
}

async function report(r) {
    const body = await current(r);
    r.headersOut['Content-Type'] = 'application/json';
    r.headersOut['Cache-Control'] = 'no-store';
    r.return(200, JSON.stringify(body) + '\n');
}

export default { report };
