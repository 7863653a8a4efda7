// Tells how a request ended, for counters and histograms.

// The gateway's own errors that a call of a tool gets as a result with status 200, which models can read, and the
// status with which all other requests get them. Counted with status 200, an outage would look healthy.
const STATUSES = {
    circuit_open: '503', overloaded: '503', rate_limited: '429', service_down: '502', service_timeout: '504',
};

// Returns the status with which a request is counted. `v` has the variables of the request.
function status(v) {
    const error = v.gateway_error;
    return v.status === '200' && error && STATUSES[error] ? STATUSES[error] : v.status;
}

// Returns 'ok', 'refused' (the caller's mistake, or a limit), 'failed' (the service's or the gateway's fault),
// 'cancelled' (the client closed the connection before an answer), or 'stream' (an event stream that stays open until
// one side closes it, so that its duration says nothing).
function outcome(v) {
    const counted = status(v);
    if (counted === '499') {
        return 'cancelled';
    }
    if (counted[0] === '5') {
        return 'failed';
    }
    if (counted[0] === '4') {
        return 'refused';
    }
    return v.streaming_client ? 'stream' : 'ok';
}

export default { outcome, status };
