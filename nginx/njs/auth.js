// Turns a bearer token into the hash that the configuration knows; the token itself goes no further.
import crypto from 'crypto';

// RFC 6750: the scheme's case does not matter, the token's does. Some programs add the scheme to a value that has it
// already, or send the quotes around a value: what is meant is certain, and only the token itself opens anything.
const BEARER = /^[ \t]*(["']?)(?:bearer[ \t]+)+(["']?)([A-Za-z0-9._~+\/=-]{1,512})\2\1[ \t]*$/i;

function tokenHash(r) {
    const match = BEARER.exec(r.headersIn.Authorization || '');
    return match ? crypto.createHash('sha256').update(match[3]).digest('hex') : '';
}

export default { tokenHash };
