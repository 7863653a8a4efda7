// Logs in where a server says and calls a tool, with an SDK for TypeScript: `login.mjs SDK PORT ADDRESS TOOL ARGUMENTS`.
// Prints the address to which it sends its user, and waits for the user's browser at 127.0.0.1:PORT; at the end it
// prints as JSON what it got.
import { createServer } from "node:http";

const [sdk, port, address, tool, given] = process.argv.slice(2);
const { Client, StreamableHTTPClientTransport, UnauthorizedError } =
    sdk === "2"
        ? await import("@modelcontextprotocol/client")
        : {
              ...(await import("@modelcontextprotocol/sdk/client/index.js")),
              ...(await import("@modelcontextprotocol/sdk/client/streamableHttp.js")),
              ...(await import("@modelcontextprotocol/sdk/client/auth.js")),
          };

const callback = `http://127.0.0.1:${port}/callback`;
const remembered = {};
let logins = 0;
const authProvider = {
    redirectUrl: callback,
    clientMetadata: { client_name: "tests", redirect_uris: [callback], token_endpoint_auth_method: "none" },
    clientInformation: () => remembered.client,
    saveClientInformation: (client) => { remembered.client = client; },
    tokens: () => remembered.tokens,
    saveTokens: (tokens) => { remembered.tokens = tokens; },
    codeVerifier: () => remembered.verifier,
    saveCodeVerifier: (verifier) => { remembered.verifier = verifier; },
    redirectToAuthorization: (url) => {
        logins += 1;
        console.log(url.href);
    },
};

function cameBack() {
    return new Promise((resolve) => {
        const server = createServer((request, response) => {
            response.end("done");
            server.close();
            server.closeAllConnections();
            resolve(new URL(request.url, callback).searchParams);
        });
        server.listen(Number(port), "127.0.0.1");
    });
}

async function connected() {
    const client = new Client({ name: "tests", version: "1.0.0" });
    const transport = new StreamableHTTPClientTransport(new URL(address), { authProvider });
    const returned = remembered.tokens ? null : cameBack();
    try {
        await client.connect(transport);
    } catch (error) {
        if (!(error instanceof UnauthorizedError) || returned === null) {
            throw error;
        }
        const query = await returned;
        await transport.finishAuth(sdk === "2" ? query : query.get("code"));
        return connected();
    }
    return client;
}

const answers = [];
let tools = [];
for (const text of ["first", "second"]) {
    const client = await connected();
    tools = (await client.listTools()).tools.map((listed) => listed.name);
    const answer = await client.callTool({ name: tool, arguments: { ...JSON.parse(given), text } });
    answers.push(answer.content[0].type);
    await client.close();
}
console.log(JSON.stringify({ tools, answers, logins }));
