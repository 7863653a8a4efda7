// Sends the gateway's documents about its services. They may exceed the 4096 bytes that Nginx allows in a directive.

function send(r, status, document) {
    r.headersOut['Content-Type'] = 'application/json';
    r.return(status, JSON.stringify(document) + '\n');
}

function information(r) {
    send(r, 200, catalog.information);
}

// Returns the service that was probably meant: the case may differ, or the name may be that of the container (-mcp).
function suggestion(name) {
    const bare = name.toLowerCase().replace(/_/g, '-').replace(/-mcp$/, '');
    return Array.from(catalog.names).find((known) => known === bare);
}

function unknownService(r) {
    const v = r.variables;
    const body = Object.assign({}, catalog.unknown_service, { request_id: v.gateway_request_id });
    const service = suggestion(v.uri.split('/')[2] || '');
    if (service) {
        body.address = `/api/${service}/mcp`;
        body.error = catalog.meant_service.error.replace('{address}', () => body.address);
        body.error_en = catalog.meant_service.error_en.replace('{address}', () => body.address);
    }
    send(r, 404, body);
}

export default { information, unknownService };
