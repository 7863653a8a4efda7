function pause(milliseconds) {
    return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function echo(r) {
    r.headersOut['Content-Type'] = 'application/json';
    r.return(200, JSON.stringify({
        container: r.variables.hostname,
        method: r.method,
        uri: r.variables.request_uri,
        headers: r.headersIn,
        body: r.requestText || '',
    }));
}

// One event every `every` milliseconds, `count` times.
async function events(r) {
    r.headersOut['Content-Type'] = 'text/event-stream';
    r.status = 200;
    r.sendHeader();
    for (let number = 0; number < Number(r.args.count); number++) {
        r.send(`data: ${number}\n\n`);
        await pause(Number(r.args.every));
    }
    r.finish();
}

async function slow(r) {
    await pause(Number(r.args.milliseconds));
    echo(r);
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

export default { echo, events, slow, hostile, hang };
