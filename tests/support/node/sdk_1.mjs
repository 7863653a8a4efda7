// Uses a server with the TypeScript SDK 1.x: `sdk_1.mjs ADDRESS TOOL ARGUMENTS` prints what it got as JSON.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [address, tool, given] = process.argv.slice(2);
const client = new Client({ name: "tests", version: "1.0.0" });
const authorization = process.env.MCP_AUTHORIZATION;
const requestInit = { headers: authorization ? { authorization } : {} };
await client.connect(new StreamableHTTPClientTransport(new URL(address), { requestInit }));
const tools = (await client.listTools()).tools.map((listed) => listed.name);
const answer = await client.callTool({ name: tool, arguments: JSON.parse(given) });
console.log(JSON.stringify({ server: client.getServerVersion().name, tools, answer: answer.structuredContent }));
await client.close();
