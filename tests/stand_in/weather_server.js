#!/usr/bin/env node
// A small MCP server over stdio that is published as a package of npm by the tests of deployments. It needs nothing.
// DESCRIPTION is replaced by that of the version.
const description = "DESCRIPTION";
const readOnly = { annotations: { readOnlyHint: true } };
const object = { type: "object" };
const tools = [
  { name: "forecast", description, ...readOnly,
    inputSchema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] } },
  { name: "process_number", description: "Tells the number of this process", ...readOnly, inputSchema: object },
  { name: "wait", description: "Reports progress once and never answers", ...readOnly, inputSchema: object },
];

const send = (message) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n");
const text = (value) => ({ content: [{ type: "text", text: String(value) }] });

const calls = {
  forecast: (given) => text(`sunny in ${given.city}`),
  process_number: () => text(process.pid),
  wait: (_given, meta) => {
    const progressToken = meta?.progressToken;
    send({ method: "notifications/progress", params: { progressToken, progress: 1 } });
  },
};

const methods = {
  initialize: (params) => ({
    protocolVersion: params.protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name: "weather", version: "1" },
  }),
  ping: () => ({}),
  "tools/list": () => ({ tools }),
  "tools/call": (params) => calls[params.name](params.arguments ?? {}, params._meta),
};

require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) return;
  const answer = methods[method];
  if (!answer) return send({ id, error: { code: -32601, message: "Method not found" } });
  const result = answer(params ?? {});
  if (result !== undefined) send({ id, result });
});
