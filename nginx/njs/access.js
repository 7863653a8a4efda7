// Decides what a client may call: everything of a service, MCP with some of its accounts, or some of its tools. The
// headers of a call by the modern MCP revision name the method and the tool, and servers refuse headers that disagree
// with the body, so deciding by the headers is enough. Older calls name them in the body only; they are passed to
// services that enforce the scope which the gateway tells them (X-Dyber-Scope). These alone decide about accounts.
import breaker from 'njs/breaker.js';
import grants from 'njs/grants.js';
import mcp from 'njs/mcp.js';

// Methods that describe a service and call no tool.
const LISTS = [
    'server/discover', 'tools/list', 'prompts/list', 'resources/list', 'resources/templates/list',
    'subscriptions/listen',
];
// The end of the mark of an address for searching, in front of which is the group, if it belongs to a group.
const SEARCH = /\/search$/;
// The verdict on a call at an address of the hub that is sent on to a service; only the breaker is left to ask.
const ADMITTED = 'admitted';
// The statuses of refusals other than 403.
const STATUSES = { unauthorized: 401, hidden: 404 };
// How older clients ask for a stream and end a session, and the addresses of the transport of 2024-11-05.
const OLD_METHODS = ['GET', 'DELETE'];
const OLD_ADDRESSES = { GET: '/mcp/sse', POST: '/mcp/messages' };

// The path below the service's own, undecoded as the client sent it, because the service too decides by that form.
function path(v) {
    const sent = v.request_uri.split('?')[0];
    const prefix = v.forwarded_prefix || '';
    return sent.startsWith(prefix) ? sent.slice(prefix.length) : null;
}

function isHub(service) {
    return Boolean(topology.hub) && service === topology.hub.name;
}

function enforcing(service) {
    return scopes.enforcing.includes(`\n${service}\n`);
}

// Returns whether the caller may call everything. `instead` is what a token would allow in place of the caller's.
function whole(v, instead) {
    return Boolean(instead ? instead === 'all' && v.whole_entry : v.whole_client);
}

// Returns whether a scope of some tools includes the call.
function includes(scope, service, method, tool) {
    if (scope === 'read' && mcp.READS.includes(method)) {
        return true;
    }
    const tools = scope === 'read' ? grants.ownProperty(scopes.read_tools, service) : scope;
    // The tools are lines of a text, which takes much less memory than an object. A header cannot contain a line end.
    return method === mcp.CALL && tools.includes(`\n${tool}\n`);
}

// Returns whether the client may make this call of a service, which is named by the headers, or else by the body only;
// with `instead`, whether a token that allows `all` or `read` would be enough.
function admits(v, service, method, tool, byHeaders, instead) {
    if (whole(v, instead)) {
        return true;
    }
    const scope = grants.granted(v, service, instead);
    if (scope === undefined) {
        return false;
    }
    const all = scope === 'all';
    // The service might read the body in another way, so it has to decide too.
    if (!byHeaders && !enforcing(service) && (!all || grants.limitedToAccounts(v, service))) {
        return false;
    }
    return all || includes(scope, service, method, tool);
}

// Returns whether a group has something of the service that the scope includes. `offered` are the group's tools of the
// service, each on a line, and whether its prompts and resources belong to the group.
function offers(offered, scope, service) {
    if (scope === 'all' || (scope === 'read' && offered.reads)) {
        return true;
    }
    return offered.tools.split('\n').some((tool) => tool && includes(scope, service, mcp.CALL, tool));
}

// Returns the group of an address of the hub; '' for the addresses of all tools.
function groupOf(v) {
    return (v.hub_group || '').replace(SEARCH, '');
}

// Returns whether there is anything for the client at an address of the hub. `instead` as for admits().
function reaches(v, instead) {
    const name = groupOf(v);
    const group = name ? grants.ownProperty(scopes.groups, name) : null;
    if (group === undefined || whole(v, instead)) {
        return group !== undefined;
    }
    const services = group ? Object.keys(group) : Array.from(topology.services).map((service) => service.name);
    return services.some((service) => {
        const scope = grants.granted(v, service, instead);
        return scope !== undefined && (!group || offers(group[service], scope, service));
    });
}

// Returns whether the address belongs to a group that does not exist or has nothing for the client.
function hidden(v) {
    if (!groupOf(v)) {
        return false;
    }
    // A client with another token of its user may see more.
    return !reaches(v, grants.ofLogin(v) ? 'all' : undefined);
}

// Returns whether a service that enforces scopes decides about the call itself, because only the body names the tool.
function leftToService(v, method, address) {
    if (!enforcing(v.service)) {
        return false;
    }
    if (address === '/mcp' || address === '/mcp/') {
        return method === 'POST' ? v.http_mcp_protocol_version !== mcp.MODERN : OLD_METHODS.includes(method);
    }
    const old = grants.ownProperty(OLD_ADDRESSES, method);
    return old !== undefined && (address === old || address === `${old}/`);
}

// Returns what the caller has no permission for, as {zh, en}; null if the call is allowed. `instead` as for admits().
function missing(v, instead) {
    if (whole(v, instead)) {
        return null;
    }
    const service = v.service;
    // The hub is told the scopes, and keeps to them. A token without any of them is refused here, because the client can
    // ask for a better one.
    if (isHub(service) && (!grants.ofLogin(v) || reaches(v, instead))) {
        return null;
    }
    if (!service || isHub(service)) {
        return {
            zh: '全部服务（客户端不写 services 和 accounts）',
            en: 'all services (a client without the settings services and accounts)',
        };
    }
    const scope = grants.granted(v, service, instead);
    if (scope === 'all' && !grants.limitedToAccounts(v, service)) {
        return null;
    }
    if (scope === undefined) {
        return { zh: `服务 ${service}`, en: `service ${service}` };
    }
    const method = v.request_method;
    const address = path(v);
    if ((address === '/health' || address === '/ready') && (method === 'GET' || method === 'HEAD')) {
        return null;
    }
    if (leftToService(v, method, address)) {
        return null;
    }
    const isMcp = address === '/mcp' || address === '/mcp/';
    if (method !== 'POST' || !isMcp || v.http_mcp_protocol_version !== mcp.MODERN) {
        const only = enforcing(service)
            ? { zh: '仅可用 MCP', en: 'MCP is allowed' }
            : { zh: `仅可用 MCP ${mcp.MODERN} 调用 /mcp`, en: `calls of /mcp by MCP ${mcp.MODERN} are allowed` };
        return {
            zh: `服务 ${service} 的全部权限 all（只有部分工具或账号的权限时，${only.zh}）`,
            en: `all of service ${service} (with a scope of some tools or accounts, only ${only.en})`,
        };
    }
    if (scope === 'all') {
        return null;
    }
    const call = (v.http_mcp_method || '').slice(0, mcp.LONGEST_NAME);
    const tool = (v.http_mcp_name || '').slice(0, mcp.LONGEST_NAME);
    if (LISTS.includes(call) || includes(scope, service, call, tool)) {
        return null;
    }
    if (call !== mcp.CALL) {
        return { zh: `服务 ${service} 的 ${call || 'Mcp-Method'}`, en: `${call || 'Mcp-Method'} of service ${service}` };
    }
    return { zh: `服务 ${service} 的工具 ${tool}`, en: `tool ${tool} of service ${service}` };
}

// Returns the scope that the token of a login lacks for a call; '' if no scope would be enough, or for another token.
// `allows` tells whether a token that allows `all` or `read` would be enough.
function neededScope(v, service, allows) {
    if (!grants.ofLogin(v) || !allows('all')) {
        return '';
    }
    const scope = service && !isHub(service) ? service : 'mcp';
    // The tool of an older call is not known here.
    return v.http_mcp_protocol_version === mcp.MODERN && allows('read') ? `${scope}:read` : scope;
}

// Refuses a call at an address of the hub that only the token of a login does not allow. Returns whether it did.
function refusesLogin(r, service, method, tool, byHeaders) {
    const v = r.variables;
    const scope = neededScope(v, service, (instead) => admits(v, service, method, tool, byHeaders, instead));
    if (scope) {
        v.needed_scope = scope;
        v.verdict = 'insufficient_scope';
        r.return(403);
    }
    return scope !== '';
}

// Asks the service's breaker. Addresses of the gateway itself, such as /metrics, have no service.
function breakerVerdict(v) {
    const seconds = v.service ? breaker.refuses(v.service) : 0;
    if (seconds > 0) {
        v.breaker_seconds = String(seconds);
        return 'circuit_open';
    }
    return 'allow';
}

function verdict(v) {
    if (v.relayed) {
        // A request of the hub. For a call of a service it has to say whose scope it has checked.
        const complete = !v.service || (v.http_x_dyber_client && v.relayed_scope);
        return v.relayed === 'yes' && v.client && complete ? breakerVerdict(v) : 'unauthorized';
    }
    if (v.origin_refused === '1') {
        return 'foreign_origin';
    }
    if (!v.open_document) {
        if (!v.client) {
            return 'unauthorized';
        }
        if (hidden(v)) {
            return 'hidden';
        }
        if (missing(v) !== null) {
            const scope = neededScope(v, v.service, (instead) => missing(v, instead) === null);
            if (!scope) {
                return 'forbidden';
            }
            v.needed_scope = scope;
            return 'insufficient_scope';
        }
    }
    return breakerVerdict(v);
}

function forbidden(r) {
    const v = r.variables;
    const lacking = missing(v);
    const fill = (text, what) => text.replace('{client}', () => v.client).replace('{missing}', () => what);
    const body = Object.assign({}, catalog.forbidden, { service: v.service, request_id: v.gateway_request_id });
    body.error = fill(body.error, lacking.zh);
    body.error_en = fill(body.error_en, lacking.en);
    r.headersOut['Content-Type'] = 'application/json';
    r.return(403, JSON.stringify(body) + '\n');
}

// Redirects the caller to another address. r.return would send an HTML page, but callers read JSON.
function redirect(r, location, fields) {
    const body = JSON.stringify(Object.assign({}, fields, {
        error: fields.error.replace('{location}', () => location),
        error_en: fields.error_en.replace('{location}', () => location),
        location,
        request_id: r.variables.gateway_request_id,
    }));
    r.status = 308;
    r.headersOut['Content-Type'] = 'application/json';
    r.headersOut.Location = location;
    r.headersOut['Content-Length'] = Buffer.byteLength(body) + 1;
    r.sendHeader();
    r.send(body + '\n');
    r.finish();
}

function toHttps(r) {
    const v = r.variables;
    const port = catalog.https_port === 443 ? '' : `:${catalog.https_port}`;
    redirect(r, `https://${v.host}${port}${v.request_uri}`, catalog.use_https);
}

function addSlash(r) {
    const v = r.variables;
    redirect(r, `${v.uri}/${v.is_args}${v.args || ''}`, catalog.use_slash);
}

// Decides about the call, and refuses it if necessary. Returns whether it may go on.
function passes(r) {
    const v = r.variables;
    v.verdict = v.verdict === ADMITTED ? breakerVerdict(v) : verdict(v);
    if (v.verdict !== 'allow') {
        r.return(STATUSES[v.verdict] || 403);
        return false;
    }
    return true;
}

// Runs in the access phase, so that the limits on callers apply before the token is checked. A call that is sent again
// to the upstream keeps its verdict: checking it again would use up the breaker's trial call.
function check(r) {
    if (r.variables.verdict !== 'allow') {
        passes(r);
    }
}

export default { ADMITTED, addSlash, admits, check, forbidden, passes, refusesLogin, toHttps };
