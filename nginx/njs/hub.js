// Decides where a request at an address of the hub goes. A call that names a known tool goes straight to its service;
// everything else goes to the hub, which can answer all requests. Newer calls name the tool in a header; for older ones
// this module reads the body, if it is small.
import access from 'njs/access.js';
import grants from 'njs/grants.js';

const MODERN = '2026-07-28';
const OLD_REVISIONS = ['', '2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'];
const CALL = 'tools/call';
// The methods whose name or URI tells the service.
const NAMED = [CALL, 'prompts/get', 'resources/read'];
// One more than the longest name, so that a longer name, cut to this length, never matches one.
const LONGEST_NAME = 129;
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]{0,62}:/;
// Nginx keeps bodies of this size in memory. Reading larger ones would hold up the other calls of the worker.
const LARGEST_READ_BODY = 131072;

// Returns what the client may use of each service, as the hub is told it.
function scope(r) {
    return grants.scopesByService(r.variables);
}

// Returns the method and the name that the headers give; null if they name nothing.
function namedByHeaders(v) {
    const method = v.http_mcp_method;
    const name = v.http_mcp_name;
    return NAMED.includes(method) && name ? { method, name } : null;
}

// Returns the same for a call whose body alone names the tool.
async function namedByBody(r) {
    const length = r.variables.content_length;
    if (!length || !(Number(length) <= LARGEST_READ_BODY)) {
        return null;
    }
    let message;
    try {
        message = JSON.parse(await r.readRequestText());
    } catch (error) {
        return null;
    }
    if (!message || message.method !== CALL || message.id === undefined || !message.params) {
        return null;
    }
    const name = message.params.name;
    return typeof name === 'string' ? { method: CALL, name } : null;
}

function called(r) {
    const v = r.variables;
    const revision = v.http_mcp_protocol_version || '';
    if (revision === MODERN) {
        return namedByHeaders(v);
    }
    return OLD_REVISIONS.includes(revision) ? namedByBody(r) : null;
}

// Returns the service to which the call goes, with what it is told of the tool; '' if the hub has to answer it; null if
// the call was refused.
function serviceFor(r, named) {
    const v = r.variables;
    const scheme = named.method === 'resources/read' ? SCHEME.exec(named.name) : null;
    const subject = scheme ? scheme[0] : named.name.slice(0, LONGEST_NAME);
    v.asked = `${v.hub_group || ''}|${named.method}|${subject}`;
    const entry = (v.hub_entry || '').split(' ');
    const service = entry[0];
    const name = entry[1];
    const byHeaders = v.http_mcp_protocol_version === MODERN;
    if (!service || entry[2] !== subject) {
        return '';
    }
    if (!access.admits(v, service, named.method, name, byHeaders)) {
        return access.refusesLogin(r, service, named.method, name, byHeaders) ? null : '';
    }
    if (named.method === CALL) {
        v.canonical_tool = name;
        v.alias_tool = name === subject ? '' : name;
    }
    return service;
}

// Runs in the access phase of the hub's addresses for MCP, after the limits on callers.
async function enter(r) {
    const v = r.variables;
    if (!access.passes(r)) {
        return;
    }
    if (r.method !== 'POST') {
        r.headersOut.Allow = 'POST';
        r.return(405);
        return;
    }
    const named = await called(r);
    const service = named ? serviceFor(r, named) : '';
    if (service === null) {
        return;
    }
    if (service) {
        v.verdict = access.ADMITTED;
    }
    r.internalRedirect(service ? `@call-${service}` : '@hub');
}

export default { enter, scope };
