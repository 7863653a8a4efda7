// Uses a server with the TypeScript SDK 2.x: `sdk_2.mjs ADDRESS TOOL ARGUMENTS` prints what it got as JSON.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const [address, tool, given] = process.argv.slice(2);
const client = new Client({ name: "tests", version: "1.0.0" });
await client.connect(new StreamableHTTPClientTransport(new URL(address)));
const tools = (await client.listTools()).tools.map((listed) => listed.name);
const answer = await client.callTool({ name: tool, arguments: JSON.parse(given) });
console.log(JSON.stringify({ server: client.getServerVersion().name, tools, answer: answer.structuredContent }));
await client.close();
