// Accepts callers that log in at an identity provider: an access token is verified by the hub at its first use, and the
// outcome is kept by the token's hash for some minutes at most. The token itself is sent to the hub only.
import auth from 'njs/auth.js';
import grants from 'njs/grants.js';

const ACCEPTED = ngx.shared.tokens;
const REFUSED = ngx.shared.refused_tokens;
const COUNTS = ngx.shared.login_counts;
const MOST_SECONDS = 300;
const REFUSED_SECONDS = 10;
const JWT = /^[\w-]+[.][\w-]+[.][\w-]*$/;
// Names of callers, and scopes: what may be part of a header and of a line in a shared dictionary.
const NAME = /^[A-Za-z0-9._:@-]{1,128}$/;
const REASONS = ['login_invalid', 'login_expired', 'login_issuer', 'login_user', 'login_audience'];
const DESCRIPTIONS = {
    login_expired: 'The token has expired or is not valid yet',
    login_user: 'The user has no permission here',
    login_audience: 'The token is for another address',
};
const METADATA = '/.well-known/oauth-protected-resource';
// The path of an MCP address: of the hub, a group, the search, a service, or of a service without /api.
const RESOURCE = /^(?:\/api\/[a-z0-9-]+|(?:\/groups\/[a-z0-9_-]+)?\/search|\/groups\/[a-z0-9_-]+|\/(?!api\/|groups\/|search\/)[a-z0-9-]+)?\/mcp$/;

// Returns the key of a token's outcome, which is forgotten when the settings of logins change.
function key(hash) {
    return `${hash} ${logins.revision}`;
}

// Returns the key of a counter for the caller's address and this minute.
function counter(v, what) {
    return `${what} ${v.remote_addr} ${Math.floor(Date.now() / 60000)}`;
}

function path(requestUri) {
    return requestUri.split('?')[0];
}

// Returns the path of the MCP address to which an address belongs, in the form in which callers know it.
function resourcePath(v, address) {
    // Below its direct port, a service has no prefix.
    const parts = Array.from(logins.direct_ports).includes(v.server_port) ? [] : address.split('/').slice(1, 5);
    let prefix = '';
    if (parts.length > 2 && (parts[0] === 'api' || parts[0] === 'groups')) {
        const isSearch = parts[0] === 'groups' && parts[2] === 'search' && parts.length > 3;
        prefix = `/${parts[0]}/${parts[1]}${isSearch ? '/search' : ''}`;
    } else if (parts.length > 1 && (parts[0] === 'search' || Array.from(logins.services).includes(parts[0]))) {
        prefix = `/${parts[0]}`;
    }
    return `${prefix}/mcp`;
}

// Returns whether a token with these audiences is meant for the address of the request.
function meantFor(v, audiences) {
    if (audiences.includes('*')) {
        return true;
    }
    const resource = v.oauth_base + resourcePath(v, path(v.request_uri));
    return v.oauth_base !== '' && (audiences.includes(resource) || audiences.includes(`${resource}/sse`));
}

// Describes an accepted caller as `ok <name> <scopes>`; `audience` if its token is meant for another address.
function described(v, record) {
    const parts = record.split('\n');
    return meantFor(v, parts[2].split(' ')) ? `ok ${parts[0]} ${parts[1]}` : 'audience';
}

// Describes the caller: `none` without a token that could be of a login, `pending` if its token must be verified first,
// or else as above.
function caller(r) {
    const v = r.variables;
    const hash = v.token_hash;
    if (v.token_client || !hash || hash === logins.key) {
        return 'none';
    }
    const record = ACCEPTED.get(key(hash));
    if (record !== undefined) {
        return described(v, record);
    }
    if (REFUSED.get(key(hash)) !== undefined || !(logins.opaque || JWT.test(auth.token(r)))) {
        return 'none';
    }
    return (COUNTS.get(counter(v, 'refused')) || 0) < logins.refused_per_minute ? 'pending' : 'none';
}

function accepted(hash, outcome) {
    const seconds = Math.min(MOST_SECONDS, Math.floor(outcome.expires - Date.now() / 1000));
    const named = [outcome.client].concat(outcome.scopes).every((name) => NAME.test(name));
    if (!named || !(seconds > 0)) {
        return null;
    }
    const audiences = outcome.audiences.filter((audience) => /^[\x21-\x7e]{1,300}$/.test(audience));
    const record = [outcome.client, outcome.scopes.join(' '), audiences.join(' ')].join('\n');
    ACCEPTED.set(key(hash), record, seconds * 1000);
    return record;
}

function refused(v, hash, reason) {
    REFUSED.set(key(hash), REASONS.includes(reason) ? reason : REASONS[0], REFUSED_SECONDS * 1000);
    COUNTS.incr(counter(v, 'refused'), 1, 0);
}

// Asks the hub about the token. Returns null if it cannot tell, or if the caller's address asks too often: while an
// identity provider does not answer, each question waits for some seconds.
async function ask(r) {
    const v = r.variables;
    if (COUNTS.incr(counter(v, 'asked'), 1, 0) > 2 * logins.refused_per_minute) {
        return null;
    }
    try {
        const reply = await ngx.fetch(logins.verifier, {
            method: 'POST',
            headers: { Authorization: `Bearer ${logins.key}`, 'Content-Type': 'application/json' },
            body: JSON.stringify({ token: auth.token(r) }),
        });
        return reply.status === 200 ? await reply.json() : null;
    } catch (error) {
        return null;
    }
}

// Has the hub verify the token, and passes the call on: with a caller if the token is good, else without.
async function verify(r) {
    const v = r.variables;
    const hash = v.token_hash;
    const outcome = await ask(r);
    if (outcome === null || outcome.status === 'unavailable') {
        v.verified_caller = 'none';
        v.verdict = 'login_unavailable';
        r.return(403);
        return;
    }
    const record = outcome.status === 'accepted' ? accepted(hash, outcome) : null;
    if (record === null) {
        refused(v, hash, outcome.reason || 'login_expired');
    }
    v.verified_caller = record === null ? 'none' : described(v, record);
    r.internalRedirect('@token_verified');
}

// Returns what is wrong with the token of a login; '' if it is no such token.
function problem(r) {
    const v = r.variables;
    if (v.caller === 'audience') {
        return 'login_audience';
    }
    return REFUSED.get(key(v.token_hash)) || (JWT.test(auth.token(r)) ? REASONS[0] : 'unknown_token');
}

// Returns the name of a scope at the identity provider, or that of a wider scope if the identity provider does not know
// it. The scope of the hub is `mcp`.
function providerScope(scope) {
    const known = Array.from(logins.scopes);
    const offered = [scope, scope.endsWith(':read') ? 'mcp:read' : 'mcp', 'mcp', known[0]]
        .find((candidate) => known.includes(candidate));
    return grants.ownProperty(logins.scope_names, offered) || offered;
}

function resourceMetadata(v) {
    const address = path(v.request_uri);
    const resource = resourcePath(v, address);
    const stream = address === resource.replace(/\/mcp$/, '/mcp/sse') ? '/sse' : '';
    return `${v.oauth_base}${METADATA}${resource}${stream}`;
}

// Returns the value of WWW-Authenticate of a 401 or 403; `problems` are its further parameters.
function challengeOf(v, problems, scope) {
    const parameters = Object.assign({}, problems, { resource_metadata: resourceMetadata(v), scope });
    return 'Bearer ' + Object.keys(parameters).map((key) => `${key}="${parameters[key]}"`).join(', ');
}

function challenge(r) {
    const v = r.variables;
    if (!v.oauth_base) {
        return 'Bearer realm="dyberpet", charset="UTF-8"';
    }
    const problems = v.http_authorization
        ? { error: 'invalid_token', error_description: DESCRIPTIONS[problem(r)] || 'The token is invalid' }
        : {};
    return challengeOf(v, problems, providerScope(v.service || 'mcp'));
}

function sendJson(r, status, document) {
    r.headersOut['Content-Type'] = 'application/json';
    r.return(status, JSON.stringify(document) + '\n');
}

// Answers with 403 and the scope that the caller should ask for at its identity provider.
function insufficient(r) {
    const v = r.variables;
    const scope = providerScope(v.needed_scope || 'mcp');
    const body = Object.assign({}, catalog.insufficient_scope, { scope, service: v.service });
    body.error = body.error.replace('{scope}', () => scope);
    body.error_en = body.error_en.replace('{scope}', () => scope);
    body.request_id = v.gateway_request_id;
    r.headersOut['WWW-Authenticate'] = v.oauth_base
        ? challengeOf(v, { error: 'insufficient_scope', error_description: `The call needs the scope ${scope}` }, scope)
        : 'Bearer error="insufficient_scope"';
    sendJson(r, 403, body);
}

// Answers with the metadata of an MCP address as an OAuth resource (RFC 9728).
function metadata(r) {
    const v = r.variables;
    let resource = path(v.request_uri).slice(METADATA.length).replace(/\/$/, '');
    const stream = resource.endsWith('/mcp/sse') ? '/sse' : '';
    resource = resource.slice(0, resource.length - stream.length) || '/mcp';
    if (!v.oauth_base || !RESOURCE.test(resource) || resource !== resourcePath(v, resource)) {
        r.return(404);
        return;
    }
    const service = Array.from(logins.services).find((name) => resource === `/api/${name}/mcp` || resource === `/${name}/mcp`);
    const fitting = Array.from(logins.scopes).filter((scope) =>
        scope.startsWith('mcp') || !service || scope.split(':')[0] === service);
    r.headersOut['Cache-Control'] = 'max-age=300';
    sendJson(r, 200, {
        resource: `${v.oauth_base}${resource}${stream}`,
        authorization_servers: Array.from(logins.issuers),
        scopes_supported: fitting.map(providerScope),
        bearer_methods_supported: ['header'],
        resource_name: 'DyberPet',
    });
}

export default { caller, challenge, insufficient, metadata, problem, verify };
