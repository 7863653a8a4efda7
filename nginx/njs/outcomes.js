// Tells how a request ended, for counters and histograms.

// Returns the status with which a request is counted. A failure may be told inside a response with the status 200, which
// models can read; counted with that status, an outage would look healthy. `v` has the variables of the request.
function status(v) {
    return v.failed_status || v.status;
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
