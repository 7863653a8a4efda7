// The gateway's own documents about its services. They may be longer than the 4096 bytes that Nginx takes in a directive.

function send(r, status, document) {
    r.headersOut['Content-Type'] = 'application/json';
    r.return(status, JSON.stringify(document) + '\n');
}

function information(r) {
    send(r, 200, catalog.information);
}

// The service that a name was meant to be: in another case of letters, or with the -mcp of its container.
function meant(name) {
    const bare = name.toLowerCase().replace(/_/g, '-').replace(/-mcp$/, '');
    return Array.from(catalog.names).find((known) => known === bare);
}

function unknownService(r) {
    const v = r.variables;
    const body = Object.assign({}, catalog.unknown_service, { request_id: v.gateway_request_id });
    const service = meant(v.uri.split('/')[2] || '');
    if (service) {
        body.address = `/api/${service}/mcp`;
        body.error = catalog.meant_service.error.replace('{address}', () => body.address);
        body.error_en = catalog.meant_service.error_en.replace('{address}', () => body.address);
    }
    send(r, 404, body);
}

export default { information, unknownService };
