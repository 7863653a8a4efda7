// The circuit breakers, one per service, shared by all workers.
//
// Closed: calls pass. A number of failures in a row, which the gateway answers with 502 or 504, opens the breaker. Two are
// enough if the last call waited for long and the service answered nothing meanwhile, neither a call nor a check.
// Open: calls are refused for some seconds.
// Half-open: one call passes as a trial, and its outcome closes or opens the breaker.
// The outcome of a call that began before the breaker opened is ignored, as it may arrive much later.

const BREAKERS = ngx.shared.breakers;
// Tolerated difference between the clock of a request and the clock of this module.
const SKEW_MS = 50;
// So many calls in a row have to end without an answer before a silent service counts as hung.
const FAILURES_OF_HUNG = 2;
// A call that waited for a shorter time does not show that a service is hung.
const SHORTEST_SILENCE_MS = 10000;
// Silence means nothing if the last check is older.
const STALE_MS = 10000;

function key(service, what) {
    return `${service} ${what}`;
}

// Returns the time at which the breaker opened; undefined if it is closed. A time in the future means that the clock
// was set back. The breaker then counts as opened now, as it would otherwise stay open until the clock has caught up.
function openedAt(service) {
    const opened = BREAKERS.get(key(service, 'opened'));
    const now = Date.now();
    if (opened === undefined || opened <= now + SKEW_MS) {
        return opened;
    }
    BREAKERS.set(key(service, 'opened'), now);
    return now;
}

function remaining(opened) {
    return opened + topology.breaker.seconds * 1000 - Date.now();
}

// Returns the seconds until the service may be called; 0 means now. In the half-open state only one caller gets 0.
function refuses(service) {
    const opened = openedAt(service);
    if (opened === undefined) {
        return 0;
    }
    const left = remaining(opened);
    if (left > 0) {
        return Math.ceil(left / 1000);
    }
    // The entry expires, so that a trial without an outcome does not keep the breaker from closing.
    return BREAKERS.add(key(service, 'trial'), 1, topology.breaker.seconds * 1000) ? 0 : 1;
}

// Returns the breaker's state: 'closed', 'open' or 'half-open'.
function state(service) {
    const opened = openedAt(service);
    if (opened === undefined) {
        return 'closed';
    }
    return remaining(opened) > 0 ? 'open' : 'half-open';
}

// Returns when the call arrived.
function arrived(r) {
    const v = r.variables;
    return (v.msec - v.request_time) * 1000;
}

// True if the call arrived after the breaker opened.
function isTrial(r, opened) {
    return arrived(r) > opened + SKEW_MS;
}

// Records that the service was asked whether it is ready, and whether a replica answered, whatever the answer was.
function checked(service, answered) {
    const now = Date.now();
    BREAKERS.set(key(service, 'checked'), now);
    if (answered) {
        BREAKERS.set(key(service, 'answered'), now);
    }
}

// True if the service answered neither a call nor a check since this call arrived, and the call waited for long.
function isSilent(service, r) {
    const now = Date.now();
    const answered = BREAKERS.get(key(service, 'answered')) || 0;
    const lastCheck = BREAKERS.get(key(service, 'checked')) || 0;
    return now - arrived(r) >= SHORTEST_SILENCE_MS && answered < arrived(r) && now - lastCheck < STALE_MS;
}

// Returns how many calls in a row without an answer open the breaker.
function allowedFailures(service, r) {
    const most = topology.breaker.failures;
    return isSilent(service, r) ? Math.min(FAILURES_OF_HUNG, most) : most;
}

// Records that the service answered the call, whatever the response was.
function succeeded(service, r) {
    BREAKERS.set(key(service, 'answered'), Date.now());
    const opened = openedAt(service);
    if (opened === undefined) {
        if (BREAKERS.has(key(service, 'failures'))) {
            BREAKERS.delete(key(service, 'failures'));
        }
    } else if (isTrial(r, opened)) {
        BREAKERS.delete(key(service, 'failures'));
        BREAKERS.delete(key(service, 'opened'));
        BREAKERS.delete(key(service, 'trial'));
    }
}

// Records that the gateway had to answer 502 or 504 itself. Returns true if this opened the breaker. The hub has none, so
// that it is reached as soon as it is there again: nothing waits behind it that has to be spared.
function failed(service, r) {
    if (topology.hub && service === topology.hub.name) {
        return false;
    }
    const opened = openedAt(service);
    if (opened === undefined) {
        const failures = BREAKERS.incr(key(service, 'failures'), 1, 0);
        return failures >= allowedFailures(service, r) && BREAKERS.add(key(service, 'opened'), Date.now());
    }
    if (!isTrial(r, opened)) {
        return false;
    }
    BREAKERS.set(key(service, 'opened'), Date.now());
    BREAKERS.delete(key(service, 'trial'));
    return true;
}

// Records that the client closed the connection before a response. If the call was the trial, another call may be one.
function abandoned(service, r) {
    const opened = openedAt(service);
    if (opened !== undefined && isTrial(r, opened)) {
        BREAKERS.delete(key(service, 'trial'));
    }
}

// Records that a replica became ready while none was. The next call may be the trial, as the failure may be over.
function recovered(service) {
    if (BREAKERS.has(key(service, 'opened'))) {
        BREAKERS.set(key(service, 'opened'), Date.now() - topology.breaker.seconds * 1000);
        BREAKERS.delete(key(service, 'trial'));
    }
}

export default { refuses, state, checked, succeeded, failed, abandoned, recovered };
