// Tells what a client may use of a service: what the configuration grants, and no more than its login token allows.

function ownProperty(object, key) {
    return Object.prototype.hasOwnProperty.call(object, key) ? object[key] : undefined;
}

// Returns what the configuration grants: 'all', 'read', or a text with each tool on a line; undefined for nothing.
function configured(v, service) {
    if (v.whole_entry) {
        return 'all';
    }
    const services = ownProperty(scopes.clients, v.client_entry);
    return services ? ownProperty(services, service) : undefined;
}

// Returns what the scopes of the caller's token allow: 'all', 'read', or undefined for nothing. The tokens that a stack
// gives to its clients allow all.
function allowedByToken(v, service) {
    const words = (v.token_scopes || '').split(' ');
    if (words.includes('mcp') || words.includes(service)) {
        return 'all';
    }
    return words.includes('mcp:read') || words.includes(`${service}:read`) ? 'read' : undefined;
}

// Returns what the caller may use of the service: 'all', 'read', or a text with each tool on a line; undefined for
// nothing. `instead` replaces what the token allows.
function granted(v, service, instead) {
    const scope = configured(v, service);
    const allowed = instead || allowedByToken(v, service);
    if (scope === undefined || allowed === undefined || allowed === 'all') {
        return allowed && scope;
    }
    if (scope === 'all' || scope === 'read') {
        return 'read';
    }
    const reading = ownProperty(scopes.read_tools, service) || '';
    const tools = scope.split('\n').filter((tool) => tool && reading.includes(`\n${tool}\n`));
    return tools.length ? `\n${tools.join('\n')}\n` : undefined;
}

// Returns a scope in the form in which a service is told of it (X-Dyber-Scope).
function told(scope) {
    if (scope === undefined) {
        return 'none';
    }
    return scope.startsWith('\n') ? `tools:${scope.slice(1, -1).replace(/\n/g, ',')}` : scope;
}

// Returns the scope of a client with a list of tools, for the service of the call.
function listedTools(r) {
    const scope = configured(r.variables, r.variables.service);
    return scope && scope.startsWith('\n') ? told(scope) : 'none';
}

// Returns the scope that the service of the call is told, without the accounts.
function grantedScope(r) {
    return told(granted(r.variables, r.variables.service));
}

// Returns whether the client may use some accounts of the service only. The service decides which account a call uses.
function limitedToAccounts(v, service) {
    const services = ownProperty(scopes.limited, v.client_entry);
    return services !== undefined && services.includes(`\n${service}\n`);
}

// Returns whether the caller logged in at an identity provider.
function ofLogin(v) {
    return v.token_client === '';
}

// Returns what the caller may call at each service, as the hub is told it: `template=read bilibili=all;accounts=main`.
function scopesByService(v) {
    if (v.whole_client) {
        return 'all';
    }
    const stored = v.whole_entry ? '' : ownProperty(scopes.hub, v.client_entry) || 'none';
    if (!ofLogin(v)) {
        return stored;
    }
    const parts = [];
    Array.from(topology.services).forEach((service) => {
        const scope = granted(v, service.name);
        if (scope !== undefined) {
            const before = stored.split(' ').find((part) => part.startsWith(`${service.name}=`)) || '';
            const accounts = before.includes(';') ? before.slice(before.indexOf(';')) : '';
            parts.push(`${service.name}=${told(scope)}${accounts}`);
        }
    });
    return parts.sort().join(' ') || 'none';
}

export default {
    granted, grantedScope, limitedToAccounts, listedTools, ofLogin, ownProperty, scopesByService,
};
