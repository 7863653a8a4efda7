// Counts how long requests took, as histograms by service and outcome.
const DURATIONS = ngx.shared.durations;
// The upper bounds of the buckets in seconds: from 1 ms, the resolution of Nginx's clock, to 5 min.
const BOUNDS = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300,
];
const BEYOND = '+Inf';
const MOST_ENTRIES = 1000000;

function bound(seconds) {
    for (let index = 0; index < BOUNDS.length; index++) {
        if (seconds <= BOUNDS[index]) {
            return BOUNDS[index];
        }
    }
    return BEYOND;
}

// Adds a request to the histogram of the service and the outcome.
function record(service, outcome, seconds) {
    DURATIONS.incr(`bucket|${service}|${outcome}|${bound(seconds)}`, 1, 0);
    DURATIONS.incr(`sum|${service}|${outcome}`, seconds, 0);
}

// Returns the histograms of these services, each as {service, outcome, buckets: [[bound, number up to it], …], sum,
// count}, in a stable order.
function histograms(services) {
    const entries = {};
    DURATIONS.items(MOST_ENTRIES).forEach((item) => {
        entries[item[0]] = item[1];
    });
    const result = [];
    Object.keys(entries).sort().forEach((key) => {
        const parts = key.split('|');
        if (parts[0] !== 'sum' || !services.includes(parts[1])) {
            return;
        }
        const counted = (limit) => entries[`bucket|${parts[1]}|${parts[2]}|${limit}`] || 0;
        let count = 0;
        const buckets = BOUNDS.concat(BEYOND).map((limit) => [limit, (count += counted(limit))]);
        result.push({ service: parts[1], outcome: parts[2], buckets, sum: entries[key], count });
    });
    return result;
}

export default { histograms, record };
