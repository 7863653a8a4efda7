// Turns a bearer token into the hash that the configuration knows; the token itself goes no further.
import crypto from 'crypto';

// RFC 6750: the scheme's case does not matter, the token's does.
const BEARER = /^bearer +([A-Za-z0-9._~+\/=-]{1,512}) *$/i;

function tokenHash(r) {
    const match = BEARER.exec(r.headersIn.Authorization || '');
    return match ? crypto.createHash('sha256').update(match[1]).digest('hex') : '';
}

export default { tokenHash };
