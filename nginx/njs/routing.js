// Chooses the container that gets a call, where Nginx's own choice is not enough.
import crypto from 'crypto';
import breaker from 'njs/breaker.js';

const SESSIONS = ngx.shared.sessions;
const HEALTH = ngx.shared.health;
// The form of the servers' session ids; the limit protects the memory.
const SESSION = /^[\x21-\x7e]{8,128}$/;

// Returns the name that Nginx gives to a container's address in `sticky route`.
function peerName(address) {
    return crypto.createHash('md5').update(address).digest('hex');
}

// Returns the last address that was tried, from the value of `$upstream_addr`.
function lastAddress(addresses) {
    return addresses.split(/[ ,:]* /).pop();
}

// Stores, for `milliseconds`, which containers are ready and whether new calls may go only to them.
function setReady(service, peers, readyOnly, milliseconds) {
    HEALTH.set(`ready ${service}`, [readyOnly ? 'only' : 'all'].concat(peers).join(' '), milliseconds);
}

// Returns the id of the call's session; undefined if it has none. The addresses of the hub have no sessions except those
// of the transport of 2024-11-05, which the hub itself has.
function sessionOf(r) {
    const v = r.variables;
    if (v.via) {
        return topology.hub && v.service === topology.hub.name ? v.arg_session_id : undefined;
    }
    return r.headersIn['Mcp-Session-Id'] || v.arg_session_id;
}

// Returns the container for `sticky route`: that of the session; else a ready one, if others are not ready or have been
// tried already; else '', which lets Nginx choose.
function choose(r) {
    const service = r.variables.service;
    const session = sessionOf(r);
    if (session && SESSION.test(session)) {
        const peer = SESSIONS.get(`${service} ${session}`);
        if (peer !== undefined) {
            return peer;
        }
    }
    const ready = HEALTH.get(`ready ${service}`);
    const tried = r.variables.upstream_addr;
    if (ready === undefined || (!tried && ready.startsWith('all'))) {
        return '';
    }
    const known = tried ? tried.split(/[ ,:]* /).map(peerName) : [];
    const peers = ready.split(' ').slice(1).filter((peer) => !known.includes(peer));
    return peers.length ? peers[Math.floor(Math.random() * peers.length)] : '';
}

// Asks proxies in front of the gateway not to buffer event streams. Nginx removes this header from services' responses.
function disableProxyBuffering(r) {
    if ((r.headersOut['Content-Type'] || '').startsWith('text/event-stream')) {
        r.headersOut['X-Accel-Buffering'] = 'no';
        r.headersOut['Cache-Control'] = 'no-cache, no-transform';
    }
}

// Runs when a service's response begins: a stream may end hours later, but its session is needed at once.
function answered(r) {
    const service = r.variables.service;
    breaker.succeeded(service, r);
    disableProxyBuffering(r);
    const begun = r.variables.via ? '' : r.variables.upstream_http_mcp_session_id;
    const session = begun || r.variables.upstream_http_x_dyber_session;
    if (session && SESSION.test(session)) {
        SESSIONS.set(`${service} ${session}`, peerName(lastAddress(r.variables.upstream_addr)));
    }
}

export default { answered, choose, peerName, setReady };
