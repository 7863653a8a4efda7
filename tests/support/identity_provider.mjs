// A real identity provider (npm oidc-provider) on 127.0.0.1: registration of clients, PKCE, and JWT access tokens for the
// resource that a client asks for. Its pages accept every name and password. Arguments: the port.
import { Provider } from 'oidc-provider';

const port = Number(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const provider = new Provider(issuer, {
    scopes: ['openid', 'offline_access', 'mcp', 'mcp:read'],
    // Clients that register themselves may ask for every scope later, not only for those that they name at first.
    extraClientMetadata: {
        properties: ['any_scope'],
        validator: (context, key, value, metadata) => { delete metadata.scope; },
    },
    cookies: { keys: ['only for tests'] },
    features: {
        devInteractions: { enabled: true },
        registration: { enabled: true },
        introspection: { enabled: true },
        resourceIndicators: {
            enabled: true,
            useGrantedResource: () => true,
            getResourceServerInfo: (context, resource) => ({
                scope: 'mcp mcp:read', audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: 600,
            }),
        },
    },
});

provider.listen(port, '127.0.0.1', () => console.log('listening'));
