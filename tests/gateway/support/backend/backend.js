function pause(milliseconds) {
    return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function tell(r) {
    r.headersOut['Content-Type'] = 'application/json';
    r.return(200, JSON.stringify({
        container: r.variables.hostname,
        method: r.method,
        uri: r.variables.request_uri,
        headers: r.headersIn,
        body: r.requestText || '',
    }));
}

// Nginx logs a request when it is answered, if it ever is.
function echo(r) {
    r.warn(`arrived ${r.variables.request_uri}`);
    tell(r);
}

// One event every `every` milliseconds, `count` times.
async function events(r) {
    r.headersOut['Content-Type'] = 'text/event-stream; charset=utf-8';
    r.headersOut['X-Accel-Buffering'] = 'no';
    r.headersOut['Cache-Control'] = 'no-store';
    r.status = 200;
    r.sendHeader();
    for (let number = 0; number < Number(r.args.count); number++) {
        r.send(`data: ${number}\n\n`);
        await pause(Number(r.args.every));
    }
    r.finish();
}

async function slow(r) {
    r.warn(`arrived ${r.variables.request_uri}`);
    await pause(Number(r.args.milliseconds || 20));
    tell(r);
}

// A session of its own, as the first answer of each of the two session-bound transports gives it.
async function session(r) {
    const id = `${r.variables.hostname}-${r.variables.request_id}`;
    if (r.method === 'POST') {
        r.headersOut['Mcp-Session-Id'] = id;
        return echo(r);
    }
    r.headersOut['X-Dyber-Session'] = id;
    return events(r);
}

// The status that was asked for, made by the service itself.
function answer(r) {
    r.return(Number(r.args.status), 'from the service');
}

// What a service must not be able to do to callers or to the gateway.
function hostile(r) {
    r.headersOut['X-Accel-Redirect'] = '/-/gateway/auth';
    r.headersOut['Access-Control-Allow-Origin'] = '*';
    r.headersOut['X-Request-Id'] = 'made-by-the-service';
    r.return(200, 'hostile');
}

async function hang(r) {
    await pause(600000);
    r.return(200, 'late');
}

export default { echo, events, slow, hostile, hang, session, answer };
