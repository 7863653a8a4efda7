// Answers a call at an address of the hub that failed: as the result of the tool, so that the model reads it and the
// client keeps the connection. Other requests get an error with the seconds after which to try again.
import mcp from 'njs/mcp.js';

const REFUSALS = ngx.shared.refusals;
// The most that the line and the headers of a request can have: Nginx's default, large_client_header_buffers.
const LARGEST_HEADERS = 32768;
// The key of every error of a service, a hub or the gateway; and one that some clients know only.
const META = 'dyber/error';
const OLD_META = 'cn.dyberpet/error';
const INTERNAL_ERROR = -32603;

// Returns the request that the body contains; null if the body is large or none, or its id cannot be repeated exactly.
async function request(r) {
    const length = r.variables.content_length;
    // Without an announced length, what has arrived so far tells the least that the body has.
    const least = length ? Number(length) : Number(r.variables.request_length) - LARGEST_HEADERS;
    if (least > mcp.LARGEST_READ_BODY) {
        return null;
    }
    try {
        const text = await r.readRequestText();
        if (text.length > mcp.LARGEST_READ_BODY) {
            return null;
        }
        const message = JSON.parse(text);
        const id = message.id;
        return typeof id === 'string' || Number.isSafeInteger(id) ? message : null;
    } catch (error) {
        return null;
    }
}

// Returns whether the client sends so much more than it may that it gets no detailed answers any more.
function floods(v) {
    if (v.gateway_error !== 'rate_limited') {
        return false;
    }
    const second = Math.floor(Date.now() / 1000);
    return REFUSALS.incr(`${v.service} ${v.client} ${second}`, 1, 0, 2000) > Number(v.told_refusals);
}

function filled(text, service, seconds) {
    return text.replace('{service}', () => service).replace('{seconds}', () => String(seconds));
}

function send(r, status, seconds, body) {
    r.headersOut['Content-Type'] = 'application/json';
    if (status !== 200) {
        r.headersOut['Retry-After'] = String(seconds);
    }
    r.return(status, JSON.stringify(body) + '\n');
}

// Returns whether no attempt has reached the service. Not the variable `never_sent`, which keeps its first value.
function neverSent(v) {
    return /^[-,: ]*$/.test(v.upstream_connect_time || '');
}

async function answer(r) {
    const v = r.variables;
    if (v.gateway_error === 'service_timeout' && neverSent(v)) {
        v.gateway_error = 'service_down';
    }
    const failure = catalog.failures[v.gateway_error];
    v.failed_status = String(failure.status);
    const seconds = v.gateway_error === 'circuit_open' ? Number(v.breaker_seconds) : failure.retry_seconds;
    const plain = {
        status: 'error', code: v.gateway_error, error: failure.error, error_en: failure.error_en,
        service: v.service, request_id: v.gateway_request_id,
    };
    const message = floods(v) ? null : await request(r);
    const method = message ? message.method : '';
    if (method !== mcp.CALL && !mcp.READS.includes(method)) {
        send(r, failure.sent_status, seconds, plain);
        return;
    }
    const begun = failure.begun && !neverSent(v);
    const texts = begun ? failure.begun : failure.call;
    const text = [texts.zh, texts.en].map((part) => filled(part, v.service, seconds)).join('\n');
    const details = {
        code: v.gateway_error, retryable: !begun && v.gateway_error !== 'service_timeout', retry_after_seconds: seconds,
        service: v.service, request_id: v.gateway_request_id,
    };
    const meta = {};
    meta[META] = details;
    meta[OLD_META] = details;
    if (method === mcp.CALL) {
        const result = { content: [{ type: 'text', text }], isError: true, _meta: meta };
        if (v.http_mcp_protocol_version === mcp.MODERN) {
            result.resultType = 'complete';
        }
        send(r, 200, seconds, { jsonrpc: '2.0', id: message.id, result });
        return;
    }
    // Without a key, some clients find them too.
    const data = Object.assign({}, details, meta);
    const error = { code: INTERNAL_ERROR, message: text, data };
    send(r, failure.sent_status, seconds, { jsonrpc: '2.0', id: message.id, error });
}

export default { answer };
