// The circuit breakers, one per service, shared by all workers.
//
// Closed: calls pass. A number of failures in a row, which the gateway answers with 502 or 504, opens the breaker.
// Open: calls are refused for some seconds.
// Half-open: one call passes as a trial, and its outcome closes or opens the breaker.
// The outcome of a call that began before the breaker opened is ignored, as it may arrive much later.

const BREAKERS = ngx.shared.breakers;
// Tolerated difference between the clock of a request and the clock of this module.
const SKEW_MS = 50;

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

// True if the call arrived after the breaker opened.
function isTrial(r, opened) {
    const v = r.variables;
    return (v.msec - v.request_time) * 1000 > opened + SKEW_MS;
}

// Records that the service answered the call, whatever the response was.
function succeeded(service, r) {
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
        return failures >= topology.breaker.failures && BREAKERS.add(key(service, 'opened'), Date.now());
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

export default { refuses, state, succeeded, failed, abandoned, recovered };
