// What a caller may call: everything of a service, or some of its tools. Of a modern MCP call the headers say what it
// does, and servers refuse headers that disagree with the body, so what is decided by the headers holds for the body.
// Older calls say it in the body only: they pass to services that keep to the scope they are told (X-Dyber-Scope).
import breaker from 'njs/breaker.js';

const MODERN = '2026-07-28';
// Of a method or a tool, and one more: what is longer is none that is known.
const LONGEST_NAME = 129;
// What tells of a service without calling a tool.
const LISTS = [
    'server/discover', 'tools/list', 'prompts/list', 'resources/list', 'resources/templates/list',
    'subscriptions/listen',
];
const READS = ['prompts/get', 'resources/read'];
// How older clients ask for a stream and end a session, and the addresses of the transport of 2024-11-05.
const OLD_METHODS = ['GET', 'DELETE'];
const OLD_ADDRESSES = { GET: '/mcp/sse', POST: '/mcp/messages' };

function own(object, key) {
    return Object.prototype.hasOwnProperty.call(object, key) ? object[key] : undefined;
}

// The address below the service's own, as it was sent: also the service decides by that one.
function path(v) {
    const sent = v.request_uri.split('?')[0];
    const prefix = v.forwarded_prefix || '';
    return sent.startsWith(prefix) ? sent.slice(prefix.length) : null;
}

// What a service is told of a caller that may call the tools named.
function grantedTools(r) {
    const v = r.variables;
    const granted = own(scopes.clients, v.client);
    const tools = granted ? own(granted, v.service) : undefined;
    return tools ? `tools:${tools.slice(1, -1).replace(/\n/g, ',')}` : 'none';
}

function enforcing(service) {
    return scopes.enforcing.includes(`\n${service}\n`);
}

// Whether a service that keeps to scopes decides about the call itself, as only its body says what it does.
function leftToService(v, method, address) {
    if (!enforcing(v.service)) {
        return false;
    }
    if (address === '/mcp' || address === '/mcp/') {
        return method === 'POST' ? v.http_mcp_protocol_version !== MODERN : OLD_METHODS.includes(method);
    }
    const old = own(OLD_ADDRESSES, method);
    return old !== undefined && (address === old || address === `${old}/`);
}

// What the caller lacks, as {zh, en}; null: nothing.
function missing(v) {
    if (v.whole_client) {
        return null;
    }
    const granted = own(scopes.clients, v.client);
    const service = v.service;
    if (!service) {
        return { zh: '全部服务（客户端不写 services）', en: 'every service (a client without services)' };
    }
    const scope = granted ? own(granted, service) : undefined;
    if (scope === 'all') {
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
    const entrance = address === '/mcp' || address === '/mcp/';
    if (method !== 'POST' || !entrance || v.http_mcp_protocol_version !== MODERN) {
        const only = enforcing(service)
            ? { zh: '仅可用 MCP', en: 'MCP only' }
            : { zh: `仅可用 MCP ${MODERN} 调用 /mcp`, en: `calls of /mcp by MCP ${MODERN} only` };
        return {
            zh: `服务 ${service} 的全部权限 all（只有部分工具权限时，${only.zh}）`,
            en: `all of service ${service} (a scope of some tools is for ${only.en})`,
        };
    }
    const call = (v.http_mcp_method || '').slice(0, LONGEST_NAME);
    if (LISTS.includes(call) || (scope === 'read' && READS.includes(call))) {
        return null;
    }
    if (call !== 'tools/call') {
        return { zh: `服务 ${service} 的 ${call || 'Mcp-Method'}`, en: `${call || 'Mcp-Method'} of service ${service}` };
    }
    const tools = scope === 'read' ? own(scopes.read_tools, service) : scope;
    // One name per line, because a text takes a small part of the memory of an object; no header has an end of line.
    const tool = (v.http_mcp_name || '').slice(0, LONGEST_NAME);
    if (tools.includes(`\n${tool}\n`)) {
        return null;
    }
    return { zh: `服务 ${service} 的工具 ${tool}`, en: `tool ${tool} of service ${service}` };
}

function verdict(r) {
    const v = r.variables;
    if (v.refused === '1') {
        return 'foreign_origin';
    }
    if (!v.open_document) {
        if (!v.client) {
            return 'unauthorized';
        }
        if (missing(v) !== null) {
            return 'forbidden';
        }
    }
    // Without a service: one of the gateway's own addresses, such as /metrics.
    const seconds = v.service ? breaker.refuses(v.service) : 0;
    if (seconds > 0) {
        v.breaker_seconds = String(seconds);
        return 'circuit_open';
    }
    return 'allow';
}

function forbidden(r) {
    const v = r.variables;
    const lacking = missing(v);
    const say = (text, what) => text.replace('{client}', () => v.client).replace('{missing}', () => what);
    const body = Object.assign({}, catalog.forbidden, { service: v.service, request_id: v.gateway_request_id });
    body.error = say(body.error, lacking.zh);
    body.error_en = say(body.error_en, lacking.en);
    r.headersOut['Content-Type'] = 'application/json';
    r.return(403, JSON.stringify(body) + '\n');
}

// Sends the caller to another address. Not r.return: that would send a page, and callers read JSON.
function sendOn(r, location, fields) {
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
    sendOn(r, `https://${v.host}${port}${v.request_uri}`, catalog.use_https);
}

function addSlash(r) {
    const v = r.variables;
    sendOn(r, `${v.uri}/${v.is_args}${v.args || ''}`, catalog.use_slash);
}

// In the access phase, so that limits on callers count before the token is looked at. A call that is made again has been
// looked at: for a breaker every look is a try.
function check(r) {
    const v = r.variables;
    if (v.verdict === 'allow') {
        return;
    }
    v.verdict = verdict(r);
    if (v.verdict !== 'allow') {
        r.return(v.verdict === 'unauthorized' ? 401 : 403);
    }
}

export default { addSlash, check, forbidden, grantedTools, toHttps };
