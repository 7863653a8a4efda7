// When the certificate that is served ends: just as much of DER as that takes.
import fs from 'fs';

const FOLDER = '/etc/dyber/tls';
const FIRST = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/;
const VERSION = 0xa0;
const UTC_TIME = 0x17;

// The element of DER that begins at `start`: {tag, begin, end}, the bounds of its content.
function element(der, start) {
    let length = der[start + 1];
    let begin = start + 2;
    if (length & 0x80) {
        const bytes = length & 0x7f;
        length = 0;
        for (let index = 0; index < bytes; index++) {
            length = length * 256 + der[begin + index];
        }
        begin += bytes;
    }
    return { tag: der[start], begin, end: begin + length };
}

// YYMMDDHHMMSSZ up to 2049, YYYYMMDDHHMMSSZ from then on (RFC 5280); seconds since 1970.
function seconds(der, time) {
    const text = der.slice(time.begin, time.end).toString();
    const full = time.tag === UTC_TIME ? `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}` : text;
    const part = (from, to) => Number(full.slice(from, to));
    return Date.UTC(part(0, 4), part(4, 6) - 1, part(6, 8), part(8, 10), part(10, 12), part(12, 14)) / 1000;
}

// Seconds since 1970 of the end of the first certificate in PEM text; null where there is none.
function end(pem) {
    const match = FIRST.exec(pem);
    if (!match) {
        return null;
    }
    const der = Buffer.from(match[1].replace(/\s/g, ''), 'base64');
    // Certificate, its signed part, and in that: version (which may be absent), serial number, signature, issuer, validity.
    let field = element(der, element(der, element(der, 0).begin).begin);
    for (let skipped = field.tag === VERSION ? 0 : 1; skipped < 4; skipped++) {
        field = element(der, field.end);
    }
    return seconds(der, element(der, element(der, field.begin).end));
}

// The end of the certificate in the file that `$certificate_file` names; null while that cannot be read.
function served(r) {
    try {
        const value = end(fs.readFileSync(`${FOLDER}/${r.variables.certificate_file}.pem`, 'utf8'));
        return Number.isFinite(value) ? value : null;
    } catch (error) {
        return null;
    }
}

export default { end, served };
