import fs from 'fs';

function pause(milliseconds) {
    return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

// Answers late every other time, and keeps a line for each of them.
async function everyOther(r) {
    const late = '/tmp/late-last';
    try {
        fs.unlinkSync(late);
    } catch (error) {
        fs.writeFileSync(late, '');
        fs.appendFileSync('/tmp/late', 'late\n');
        await pause(5000);
    }
    r.return(200, '{"status":"ready"}');
}

function describe(r) {
    r.headersOut['Content-Type'] = 'application/json';
    r.return(200, JSON.stringify({
        container: r.variables.hostname,
        method: r.method,
        uri: r.variables.request_uri,
        headers: r.headersIn,
        body: r.requestText || '',
    }));
}

// Logs the arrival, because Nginx itself logs a request only when it is answered.
function echo(r) {
    r.warn(`arrived ${r.variables.request_uri}`);
    describe(r);
}

// Sends `count` events, `every` milliseconds apart.
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
    describe(r);
}

// Begins a session, as the first response of each of the two transports with sessions does.
async function session(r) {
    const id = `${r.variables.hostname}-${r.variables.request_id}`;
    if (r.method === 'POST') {
        r.headersOut['Mcp-Session-Id'] = id;
        return echo(r);
    }
    r.headersOut['X-Dyber-Session'] = id;
    return events(r);
}

// Answers with the status in the request's arguments.
function answer(r) {
    r.return(Number(r.args.status), 'from the service');
}

// Sends headers with which a service must not affect callers or the gateway.
function hostile(r) {
    r.headersOut['X-Accel-Redirect'] = '/-/gateway/auth';
    r.headersOut['Access-Control-Allow-Origin'] = '*';
    r.headersOut['Set-Cookie'] = ['session=forged; Path=/'];
    r.headersOut['X-Request-Id'] = 'made-by-the-service';
    r.return(200, 'hostile');
}

// Refuses a session of which it does not know, as servers with sessions do, and begins one else.
function sessions(r) {
    if (r.headersIn['Mcp-Session-Id']) {
        return r.return(404, 'no such session');
    }
    return session(r);
}

// Does what the name of the called tool says, else as `echo`.
function tool(r) {
    const name = r.headersIn['Mcp-Name'];
    if (name === 'alpha_break') {
        r.warn(`arrived ${r.variables.request_uri}`);
        r.return(444);
        return null;
    }
    if (r.args.sessions) {
        return sessions(r);
    }
    return name === 'alpha_events' ? events(r) : name === 'alpha_slow' ? slow(r) : echo(r);
}

async function hang(r) {
    await pause(600000);
    r.return(200, 'late');
}

export default { everyOther, echo, events, slow, hostile, hang, session, answer, tool };
