// Reads the end of the served certificate, with as much of a DER parser as that needs.
import fs from 'fs';

const FOLDER = '/etc/dyber/tls';
const FIRST = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/;
const VERSION = 0xa0;
const UTC_TIME = 0x17;

// Returns the DER element that begins at `start` as {tag, begin, end}, with the bounds of its content.
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

// Returns a DER time in seconds since 1970. It is YYMMDDHHMMSSZ up to 2049 and YYYYMMDDHHMMSSZ from then on (RFC 5280).
function seconds(der, time) {
    const text = der.slice(time.begin, time.end).toString();
    const full = time.tag === UTC_TIME ? `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}` : text;
    const part = (from, to) => Number(full.slice(from, to));
    return Date.UTC(part(0, 4), part(4, 6) - 1, part(6, 8), part(8, 10), part(10, 12), part(12, 14)) / 1000;
}

// Returns the end of the first certificate in PEM text, in seconds since 1970; null if there is no certificate.
function end(pem) {
    const match = FIRST.exec(pem);
    if (!match) {
        return null;
    }
    const der = Buffer.from(match[1].replace(/\s/g, ''), 'base64');
    // The signed part of a certificate begins with version (optional), serial number, signature, issuer and validity.
    let field = element(der, element(der, element(der, 0).begin).begin);
    for (let skipped = field.tag === VERSION ? 0 : 1; skipped < 4; skipped++) {
        field = element(der, field.end);
    }
    return seconds(der, element(der, element(der, field.begin).end));
}

// Returns the end of the certificate in the file that `$certificate_file` names; null if the file cannot be read.
function served(r) {
    try {
        const value = end(fs.readFileSync(`${FOLDER}/${r.variables.certificate_file}.pem`, 'utf8'));
        return Number.isFinite(value) ? value : null;
    } catch (error) {
        return null;
    }
}

export default { end, served };
