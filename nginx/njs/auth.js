// Turns the bearer token of a request into its hash. The configuration has only hashes. The token is passed to no
// service; that of a login is sent to the hub, which verifies it (njs/oauth.js).
import crypto from 'crypto';

// RFC 6750: the case of the scheme does not matter, that of the token does. Some programs send the scheme twice or
// quotes around the value. Both are accepted, because the meaning is clear and only the token counts.
const BEARER = /^[ \t]*(["']?)(?:bearer[ \t]+)+(["']?)([A-Za-z0-9._~+\/=-]{1,8192})\2\1[ \t]*$/i;

function token(r) {
    const match = BEARER.exec(r.headersIn.Authorization || '');
    return match ? match[3] : '';
}

function tokenHash(r) {
    const value = token(r);
    return value && crypto.createHash('sha256').update(value).digest('hex');
}

export default { token, tokenHash };
