// The circuit breakers, one per service, common to all workers.
//
// Closed: calls pass; so many in a row that the gateway had to answer itself, with 502 or 504, open it. Open: calls are
// refused for some seconds. Then half-open: one call passes as a trial, and its outcome closes or opens the breaker.
// A call that was let through before the breaker opened says nothing of it: outcomes come late.

const BREAKERS = ngx.shared.breakers;
// Between the clock of a request and the clock of this module.
const SKEW_MS = 50;

function key(service, what) {
    return `${service} ${what}`;
}

// When the breaker opened; undefined: it is closed. A moment that is still to come means that the clock was set back
// meanwhile: the breaker then counts as opened now, or it would stay open until the clock has caught up.
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

// Seconds until a call to the service may be tried again; 0: now. In the half-open state one caller alone gets 0.
function refuses(service) {
    const opened = openedAt(service);
    if (opened === undefined) {
        return 0;
    }
    const left = remaining(opened);
    if (left > 0) {
        return Math.ceil(left / 1000);
    }
    // Expires, so that a trial without an outcome does not keep the service shut.
    return BREAKERS.add(key(service, 'trial'), 1, topology.breaker.seconds * 1000) ? 0 : 1;
}

// The breaker's state: 'closed', 'open' or 'half-open'.
function state(service) {
    const opened = openedAt(service);
    if (opened === undefined) {
        return 'closed';
    }
    return remaining(opened) > 0 ? 'open' : 'half-open';
}

// Whether the call came in after the breaker opened.
function isTrial(r, opened) {
    const v = r.variables;
    return (v.msec - v.request_time) * 1000 > opened + SKEW_MS;
}

// The service answered the call, whatever its answer was.
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

// The gateway had to answer 502 or 504 itself. True when this opened the breaker.
function failed(service, r) {
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

// The client left before there was an answer; was it the trial, another may be tried.
function abandoned(service, r) {
    const opened = openedAt(service);
    if (opened !== undefined && isTrial(r, opened)) {
        BREAKERS.delete(key(service, 'trial'));
    }
}

// A replica is ready where none was: whatever opened the breaker may be over, so the next call may try.
function recovered(service) {
    if (BREAKERS.has(key(service, 'opened'))) {
        BREAKERS.set(key(service, 'opened'), Date.now() - topology.breaker.seconds * 1000);
        BREAKERS.delete(key(service, 'trial'));
    }
}

export default { refuses, state, succeeded, failed, abandoned, recovered };
