// Checks every second whether each replica of each service is ready.
import breaker from 'njs/breaker.js';
import routing from 'njs/routing.js';

const HEALTH = ngx.shared.health;
const SNAPSHOT = 'snapshot';
const PROBES = 'http://127.0.0.1:10080/probe';
// A probe that failed after this time got no answer in time. See js_fetch_timeout in internal.conf.
const LATE_MS = 850;
// Older findings are ignored.
const STALE_MS = 10000;
// After this many failed probes in a row a replica gets no calls while another one is ready.
const FAILURES_TO_AVOID = 2;
// After this many late probes in a row the console counts as away; after fewer, a busy machine may just be slow.
const LATE_TO_BE_AWAY = 2;
// When the first replica of a service was ready this often in a row, an open breaker allows a trial call. Not earlier,
// as Nginx may need a second to look the address up.
const SUCCESSES_TO_TRY = 3;
const ADDRESS = /([0-9.]+|\[[0-9a-f:.]+\]):[0-9]+$/;

// Returns the services, and the hub if there is one.
function checked() {
    return Array.from(topology.services).concat(topology.hub ? [topology.hub] : []);
}

// Returns the last findings by service: one per replica, null if there is none yet. Empty if there was no round lately.
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

// Probes a replica. Returns null if a worker with an older configuration, without this replica, handled the request.
async function fetchFinding(path) {
    const reply = await ngx.fetch(`${PROBES}/${path}`, { headers: { Host: 'localhost' } });
    if (!reply.headers.has('X-Dyber-Probed')) {
        return null;
    }
    const match = ADDRESS.exec(reply.headers.get('X-Dyber-Peer') || '');
    const ok = reply.status === 200;
    const information = ok ? document(await reply.text()) : { version: null, tools: null };
    return {
        ok,
        answered: /[0-9]/.test(reply.headers.get('X-Dyber-Header-Time') || ''),
        code: reply.status,
        peer: match ? routing.peerName(match[0]) : '',
        version: information.version,
        tools: information.tools,
    };
}

function failure(code) {
    return { ok: false, answered: false, code, peer: '', version: null, tools: null };
}

async function probe(path, previous) {
    const begun = Date.now();
    // No other promise may win over this one: a worker crashes if a round ends while a probe is still running.
    const finding = await fetchFinding(path).catch(() => failure(Date.now() - begun < LATE_MS ? 502 : 504));
    if (finding === null) {
        return previous || null;
    }
    finding.ms = Date.now() - begun;
    finding.successes = finding.ok ? (previous ? previous.successes : 0) + 1 : 0;
    finding.failures = finding.ok ? 0 : (previous ? previous.failures : 0) + 1;
    return finding;
}

// Restricts calls to the ready replicas while other replicas fail, and tells the breaker when a service recovers.
function updateRouting(service, replicas) {
    const known = replicas.filter((replica) => replica !== null);
    const ready = known.filter((replica) => replica.ok && replica.peer).map((replica) => replica.peer);
    const readyOnly = ready.length > 0 && known.some((replica) => replica.failures >= FAILURES_TO_AVOID);
    routing.setReady(service, ready, readyOnly, STALE_MS);
    if (known.reduce((most, replica) => Math.max(most, replica.successes), 0) === SUCCESSES_TO_TRY) {
        breaker.recovered(service);
    }
}

// Finds out whether the console takes calls and spans. Older findings stay while this one is not known.
async function checkConsole() {
    const begun = Date.now();
    const reply = await ngx.fetch(`${PROBES}/console`, { headers: { Host: 'localhost' } }).catch(() => null);
    const answers = reply !== null && reply.status === 200;
    const late = !answers && Date.now() - begun >= LATE_MS ? Number(HEALTH.get('console late') || 0) + 1 : 0;
    HEALTH.set('console late', String(late));
    if (late === 0 || late >= LATE_TO_BE_AWAY) {
        HEALTH.set('console', answers ? '1' : '0');
    }
}

async function round() {
    const before = findings();
    const services = {};
    const ofConsole = topology.console ? checkConsole() : null;
    await Promise.all(checked().map(async (service) => {
        const previous = before[service.name] || [];
        const numbers = Array.from({ length: service.replicas }, (_, index) => index);
        services[service.name] = await Promise.all(
            numbers.map((index) => probe(`${service.name}/${index + 1}`, previous[index])));
        updateRouting(service.name, services[service.name]);
        breaker.checked(service.name, services[service.name].some((finding) => finding !== null && finding.answered));
    }));
    await ofConsole;
    HEALTH.set(SNAPSHOT, JSON.stringify({ at: Date.now(), services }));
}

export default { checked, findings, round };
