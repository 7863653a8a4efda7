// The gateway's own documents about its services. They may be longer than the 4096 bytes that Nginx takes in a directive.

function send(r, status, document) {
    r.headersOut['Content-Type'] = 'application/json';
    r.return(status, JSON.stringify(document) + '\n');
}

function information(r) {
    send(r, 200, catalog.information);
}

function unknownService(r) {
    send(r, 404, Object.assign({}, catalog.unknown_service, { request_id: r.variables.gateway_request_id }));
}

export default { information, unknownService };
