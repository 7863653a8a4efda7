// Asks every replica of every service, each second, whether it is ready.
import breaker from 'njs/breaker.js';
import routing from 'njs/routing.js';

const HEALTH = ngx.shared.health;
const SNAPSHOT = 'snapshot';
const PROBES = 'http://127.0.0.1:10080/probe';
// A round must be over before the next begins: Nginx would end it.
const PROBE_MS = 900;
// Older findings are none.
const STALE_MS = 10000;
// So many failed probes in a row, and a replica gets no calls while another is ready.
const FAILURES_TO_AVOID = 2;
// Ready so often in a row, the first of its service to be so, and a replica ends the wait of an open breaker. Not at once:
// Nginx may need a second to look the address up.
const SUCCESSES_TO_TRY = 3;
const ADDRESS = /([0-9.]+|\[[0-9a-f:.]+\]):[0-9]+$/;

// What the last rounds found, by service: one finding per replica, null where there is none yet. Empty when there was
// no round lately.
function findings() {
    const text = HEALTH.get(SNAPSHOT);
    const snapshot = text === undefined ? { at: 0 } : JSON.parse(text);
    return Date.now() - snapshot.at < STALE_MS ? snapshot.services : {};
}

function document(text) {
    try {
        const value = JSON.parse(text);
        return {
            version: typeof value.version === 'string' ? value.version.slice(0, 64) : null,
            tools: Number.isInteger(value.tools) ? value.tools : null,
        };
    } catch (error) {
        return { version: null, tools: null };
    }
}

// null: a worker of an older configuration took the probe, and knows no such replica.
async function fetched(path) {
    const reply = await ngx.fetch(`${PROBES}/${path}`, { headers: { Host: 'localhost' } });
    if (!reply.headers.has('X-Dyber-Probed')) {
        return null;
    }
    const match = ADDRESS.exec(reply.headers.get('X-Dyber-Peer') || '');
    const ok = reply.status === 200;
    const said = ok ? document(await reply.text()) : { version: null, tools: null };
    return {
        ok,
        code: reply.status,
        peer: match ? routing.peerName(match[0]) : '',
        version: said.version,
        tools: said.tools,
    };
}

function failure(code) {
    return { ok: false, code, peer: '', version: null, tools: null };
}

async function probe(path, previous) {
    const begun = Date.now();
    let timer;
    const late = new Promise((resolve) => {
        timer = setTimeout(resolve, PROBE_MS, failure(504));
    });
    const finding = await Promise.race([fetched(path).catch(() => failure(502)), late]);
    clearTimeout(timer);
    if (finding === null) {
        return previous || null;
    }
    finding.ms = Date.now() - begun;
    finding.successes = finding.ok ? (previous ? previous.successes : 0) + 1 : 0;
    finding.failures = finding.ok ? 0 : (previous ? previous.failures : 0) + 1;
    return finding;
}

// Calls go to the good replicas alone only while there are bad ones too.
function steer(service, replicas) {
    const found = replicas.filter((replica) => replica !== null);
    const ready = found.filter((replica) => replica.ok && replica.peer).map((replica) => replica.peer);
    const alone = ready.length > 0 && found.some((replica) => replica.failures >= FAILURES_TO_AVOID);
    routing.setReady(service, ready, alone, STALE_MS);
    if (found.reduce((most, replica) => Math.max(most, replica.successes), 0) === SUCCESSES_TO_TRY) {
        breaker.recovered(service);
    }
}

async function round() {
    const before = findings();
    const services = {};
    await Promise.all(Array.from(topology.services).map(async (service) => {
        const previous = before[service.name] || [];
        const numbers = Array.from({ length: service.replicas }, (_, index) => index);
        services[service.name] = await Promise.all(
            numbers.map((index) => probe(`${service.name}/${index + 1}`, previous[index])));
        steer(service.name, services[service.name]);
    }));
    HEALTH.set(SNAPSHOT, JSON.stringify({ at: Date.now(), services }));
}

export default { findings, round };
