// Turns the bearer token of a request into its hash. The configuration has only hashes; the token is passed to nobody.
import crypto from 'crypto';

// RFC 6750: the case of the scheme does not matter, that of the token does. Some programs send the scheme twice or
// quotes around the value. Both are accepted, because the meaning is clear and only the token counts.
const BEARER = /^[ \t]*(["']?)(?:bearer[ \t]+)+(["']?)([A-Za-z0-9._~+\/=-]{1,512})\2\1[ \t]*$/i;

function tokenHash(r) {
    const match = BEARER.exec(r.headersIn.Authorization || '');
    return match ? crypto.createHash('sha256').update(match[3]).digest('hex') : '';
}

export default { tokenHash };
