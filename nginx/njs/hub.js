// Decides where a request at an address of the hub goes. A call that names a known tool goes straight to its service;
// everything else goes to the hub, which can answer all requests. Newer calls name the tool in a header; for older ones
// this module reads the body, if it is small.
import access from 'njs/access.js';
import grants from 'njs/grants.js';
import mcp from 'njs/mcp.js';

const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]{0,62}:/;

// Returns what the client may use of each service, as the hub is told it.
function scope(r) {
    return grants.scopesByService(r.variables);
}

// Returns the method and the name that the headers give; null if they name nothing.
function namedByHeaders(v) {
    const method = v.http_mcp_method;
    const name = v.http_mcp_name;
    return name && (method === mcp.CALL || mcp.READS.includes(method)) ? { method, name } : null;
}

// Returns the same for a call whose body alone names the tool.
async function namedByBody(r) {
    const length = r.variables.content_length;
    if (!length || !(Number(length) <= mcp.LARGEST_READ_BODY)) {
        return null;
    }
    let message;
    try {
        message = JSON.parse(await r.readRequestText());
    } catch (error) {
        return null;
    }
    if (!message || message.method !== mcp.CALL || message.id === undefined || !message.params) {
        return null;
    }
    const name = message.params.name;
    return typeof name === 'string' ? { method: mcp.CALL, name } : null;
}

function called(r) {
    const v = r.variables;
    const revision = v.http_mcp_protocol_version || '';
    if (revision === mcp.MODERN) {
        return namedByHeaders(v);
    }
    return mcp.OLD_REVISIONS.includes(revision) ? namedByBody(r) : null;
}

// Returns what a call asks for, by its name at the address and at its service: {service, method, name, exposed}; null if
// the address does not have this name.
function routeOf(v, named) {
    const method = named.method;
    const scheme = method === 'resources/read' ? SCHEME.exec(named.name) : null;
    const exposed = scheme ? scheme[0] : named.name.slice(0, mcp.LONGEST_NAME);
    v.asked = `${v.hub_group || ''}|${method}|${exposed}`;
    const entry = (v.hub_entry || '').split(' ');
    return entry[0] && entry[2] === exposed ? { service: entry[0], method, name: entry[1], exposed } : null;
}

function admits(v, route, byHeaders) {
    return access.admits(v, route.service, route.method, route.name, byHeaders);
}

// Stores what the service is told of a call that is admitted.
function admit(v, route) {
    v.verdict = access.ADMITTED;
    if (route.method === mcp.CALL) {
        v.canonical_tool = route.name;
        v.alias_tool = route.name === route.exposed ? '' : route.name;
    }
}

// Returns the service of a call that its headers name and that the client may make; '' for every other request. Runs in
// the rewrite phase, because such a call needs no body and no second pass through the phases of Nginx.
function straight(r) {
    const v = r.variables;
    if (r.method !== 'POST' || v.http_mcp_protocol_version !== mcp.MODERN || !v.client) {
        return '';
    }
    const named = namedByHeaders(v);
    const route = named && routeOf(v, named);
    if (!route || !admits(v, route, true)) {
        return '';
    }
    admit(v, route);
    return route.service;
}

// Decides about all other requests, in the access phase of the hub's addresses for MCP, after the limits on callers.
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
    const route = named && routeOf(v, named);
    const byHeaders = v.http_mcp_protocol_version === mcp.MODERN;
    if (route && admits(v, route, byHeaders)) {
        admit(v, route);
        r.internalRedirect(`@call-${route.service}`);
    } else if (!route || !access.refusesLogin(r, route.service, route.method, route.name, byHeaders)) {
        r.internalRedirect('@hub');
    }
}

export default { enter, scope, straight };
