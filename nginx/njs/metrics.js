// Reports the counters and the state of the services in Prometheus' text format.
import fs from 'fs';

import accounting from 'njs/accounting.js';
import certificate from 'njs/certificate.js';
import durations from 'njs/durations.js';
import health from 'njs/health.js';
import status from 'njs/status.js';

const COUNTERS = ngx.shared.counters;
const ALL = 1000000;
const BREAKER_STATES = { closed: 0, 'half-open': 1, open: 2 };

function escaped(value) {
    return String(value).replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/"/g, '\\"');
}

function sample(name, labels, value) {
    const pairs = Object.keys(labels).map((label) => `${label}="${escaped(labels[label])}"`).join(',');
    return `${name}${pairs ? `{${pairs}}` : ''} ${value}`;
}

// Adds the lines of a metric; each sample is [labels, value].
function metric(lines, name, type, help, samples) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    samples.forEach((entry) => lines.push(sample(name, entry[0], entry[1])));
}

// Returns the services that are configured, the hub, and the gateway itself, which counts like a service.
function counted() {
    return health.checked().map((service) => service.name).concat(accounting.GATEWAY);
}

// Returns the counters of configured services and of the gateway itself, each as [[service, …], value].
function readCounters() {
    const names = counted();
    const result = { requests: [], tools: [], opened: [] };
    COUNTERS.items(ALL).sort().forEach((item) => {
        const parts = item[0].split('|');
        // Counters of an earlier version of the gateway may be left, because the zone outlives a configuration.
        if (result[parts[0]] && names.includes(parts[1])) {
            result[parts[0]].push([parts.slice(1), item[1]]);
        }
    });
    return result;
}

function calls(lines) {
    const counters = readCounters();
    metric(lines, 'dyber_gateway_requests_total', 'counter', 'Requests by service, client and status.',
        counters.requests.map((entry) =>
            [{ service: entry[0][0], client: entry[0][1], status: entry[0][2] }, entry[1]]));
    metric(lines, 'dyber_gateway_tool_calls_total', 'counter',
        'Calls of tools by service, tool, client and outcome, as far as the gateway knows the tool.',
        counters.tools.map((entry) =>
            [{ service: entry[0][0], tool: entry[0][1], client: entry[0][2], outcome: entry[0][3] }, entry[1]]));
    const opened = {};
    counters.opened.forEach((entry) => {
        opened[entry[0][0]] = entry[1];
    });
    metric(lines, 'dyber_gateway_breaker_opened_total', 'counter', 'Times the breaker of the service opened.',
        Array.from(topology.services).map((service) => [{ service: service.name }, opened[service.name] || 0]));
}

function times(lines) {
    const name = 'dyber_gateway_request_seconds';
    metric(lines, name, 'histogram',
        'Time from a request\'s first byte to its answer\'s last, by service and outcome; of a stream, until it ended.',
        []);
    durations.histograms(counted()).forEach((histogram) => {
        const labels = { service: histogram.service, outcome: histogram.outcome };
        histogram.buckets.forEach((bucket) =>
            lines.push(sample(`${name}_bucket`, Object.assign({}, labels, { le: bucket[0] }), bucket[1])));
        lines.push(sample(`${name}_sum`, labels, histogram.sum), sample(`${name}_count`, labels, histogram.count));
    });
}

function services(lines) {
    const details = status.details();
    const names = Object.keys(details);
    const each = (value) => names.map((name) => [{ service: name }, value(details[name])]);
    metric(lines, 'dyber_gateway_service_up', 'gauge', '1: a replica of the service is ready.',
        each((detail) => (detail.replicas.ready ? 1 : 0)));
    metric(lines, 'dyber_gateway_replicas_ready', 'gauge', 'Replicas that are ready.',
        each((detail) => detail.replicas.ready));
    metric(lines, 'dyber_gateway_replicas', 'gauge', 'Replicas that are configured.',
        each((detail) => detail.replicas.total));
    metric(lines, 'dyber_gateway_breaker_state', 'gauge', '0: closed, 1: half-open, 2: open.',
        each((detail) => BREAKER_STATES[detail.breaker]));
    metric(lines, 'dyber_gateway_max_call_seconds', 'gauge', 'Longest call the service takes.',
        Array.from(topology.services).map((service) => [{ service: service.name }, service.max_call_seconds]));
    const findings = health.findings();
    const probes = [];
    names.forEach((name) => (findings[name] || []).forEach((finding, index) => {
        if (finding !== null) {
            probes.push([{ service: name, replica: index + 1 }, finding.ms / 1000]);
        }
    }));
    metric(lines, 'dyber_gateway_probe_seconds', 'gauge', 'Duration of the last readiness check.', probes);
}

function gateway(lines, r) {
    metric(lines, 'dyber_gateway_connections', 'gauge', 'Connections of clients, by state.',
        ['active', 'reading', 'writing', 'waiting'].map((state) => [{ state }, r.variables[`connections_${state}`]]));
    const end = certificate.served(r);
    metric(lines, 'dyber_gateway_certificate_end_seconds', 'gauge', 'When the certificate ends, in seconds since 1970.',
        end === null ? [] : [[{}, end]]);
    metric(lines, 'dyber_gateway_build_info', 'gauge', 'Always 1; the versions are in the labels.',
        [[{ version: topology.version, nginx: r.variables.nginx_version }, 1]]);
}

// Returns {used, limit} in bytes by files of a control group; null where the kernel does not show them, or there is no
// limit. `cached` is the name in the statistics of what the kernel can drop.
function memoryOf(current, limit, statistics, cached) {
    const read = (file) => fs.readFileSync(`/sys/fs/cgroup/${file}`, 'utf8');
    try {
        const most = Number(read(limit));
        const dropped = new RegExp(`^${cached} (\\d+)$`, 'm').exec(read(statistics));
        const used = Math.max(0, Number(read(current)) - (dropped ? Number(dropped[1]) : 0));
        return most < Math.pow(2, 60) ? { used, limit: most } : null;
    } catch (error) {
        return null;
    }
}

function memory(lines) {
    const found = memoryOf('memory.current', 'memory.max', 'memory.stat', 'inactive_file') ||
        memoryOf('memory/memory.usage_in_bytes', 'memory/memory.limit_in_bytes', 'memory/memory.stat',
            'total_inactive_file');
    const each = (value) => (found ? [[{ service: accounting.GATEWAY }, value]] : []);
    metric(lines, 'container_memory_used_bytes', 'gauge', 'Memory of the container without what can be dropped.',
        each(found && found.used));
    metric(lines, 'container_memory_limit_bytes', 'gauge', 'Most memory that the container may use.',
        each(found && found.limit));
}

function report(r) {
    const lines = [];
    calls(lines);
    times(lines);
    services(lines);
    gateway(lines, r);
    memory(lines);
    r.headersOut['Content-Type'] = 'text/plain; version=0.0.4; charset=utf-8';
    r.headersOut['Cache-Control'] = 'no-store';
    r.return(200, lines.join('\n') + '\n');
}

export default { report };
