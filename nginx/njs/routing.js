// Which container of a service gets a call, where that is not for Nginx to choose.
import crypto from 'crypto';
import breaker from 'njs/breaker.js';

const SESSIONS = ngx.shared.sessions;
const HEALTH = ngx.shared.health;
// As the servers make them; a longer one is not worth its memory.
const SESSION = /^[\x21-\x7e]{8,128}$/;

// How Nginx itself names the address of a container, once it is looked up.
function peerName(address) {
    return crypto.createHash('md5').update(address).digest('hex');
}

// The address that was tried last, of `$upstream_addr`.
function lastAddress(addresses) {
    return addresses.split(/[ ,:]* /).pop();
}

// What the last round of readiness checks means for new calls: the containers that are ready, and whether calls go to
// them alone. Kept for `milliseconds`.
function setReady(service, peers, alone, milliseconds) {
    HEALTH.set(`ready ${service}`, [alone ? 'alone' : 'all'].concat(peers).join(' '), milliseconds);
}

// For `sticky route`: the container a session lives in; else one that is ready, while others are not, or when others
// have been tried; else '': Nginx chooses.
function choose(r) {
    const service = r.variables.service;
    const session = r.headersIn['Mcp-Session-Id'] || r.variables.arg_session_id;
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

// Asks proxies before the gateway to pass every event on at once; Nginx itself keeps this header of services back.
function passAtOnce(r) {
    if ((r.headersOut['Content-Type'] || '').startsWith('text/event-stream')) {
        r.headersOut['X-Accel-Buffering'] = 'no';
        r.headersOut['Cache-Control'] = 'no-cache, no-transform';
    }
}

// When a service's answer begins. Not at its end: a stream's end may be hours away, and its session is needed at once.
function answered(r) {
    const service = r.variables.service;
    breaker.succeeded(service, r);
    passAtOnce(r);
    const session = r.variables.upstream_http_mcp_session_id || r.variables.upstream_http_x_dyber_session;
    if (session && SESSION.test(session)) {
        SESSIONS.set(`${service} ${session}`, peerName(lastAddress(r.variables.upstream_addr)));
    }
}

export default { answered, choose, peerName, setReady };
