// Calls every tool, resource and prompt of an MCP server with the TypeScript SDK, and prints what was called as JSON.
// node every_call.mjs NODE_MODULES URL PAGE MESSAGE
import { pathToFileURL } from "node:url";

const [modules, url, page, message] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(`${modules}/@modelcontextprotocol/sdk/dist/esm/client/${path}`).href);
const { Client } = await load("index.js");
const { StreamableHTTPClientTransport } = await load("streamableHttp.js");

const ARGUMENTS = {
  remember: { text: "Titan has 12 berths.", message_id: "m-new", thread: "new" },
  recall: { query: "When do we ship Titan?", refs: true },
  build_context: { query: "When do we ship Titan?", budget: 2000 },
  recent: {},
  search: { query: "When do we ship Titan?" },
  fetch: { id: message },
  facts: {},
  recall_pages: { query: "When do we ship Titan?", reader: "claude" },
  read_page: { page_id: page },
  timeline: {},
  pin_page: { page_id: page },
  unpin_page: { page_id: page },
  age_pages: { dry_run: true },
  forget: { message_id: "m-new" },
};

const client = new Client({ name: "every-call", version: "1" });
await client.connect(new StreamableHTTPClientTransport(new URL(url)));
await client.ping();
const called = { tools: [], resources: [], prompts: [] };
const { tools } = await client.listTools(); // callTool checks structured results against the schemas listed here
const names = tools.map((tool) => tool.name);
for (const name of [...Object.keys(ARGUMENTS).filter((each) => names.includes(each)), ...names.filter((each) => !(each in ARGUMENTS))]) {
  const result = await client.callTool({ name, arguments: ARGUMENTS[name] ?? {} });
  if (result.isError) throw new Error(`${name}: ${JSON.stringify(result.content)}`);
  called.tools.push(name);
}
const { resources } = await client.listResources();
const { resourceTemplates } = await client.listResourceTemplates();
const filled = resourceTemplates.map((each) =>
  each.uriTemplate.replace("{page_id}", page).replace("{message_id}", message).replace("{thread}", "plans").replace("{?cursor}", ""));
for (const uri of [...resources.map((each) => each.uri), ...filled]) {
  const { contents } = await client.readResource({ uri });
  if (contents.length === 0) throw new Error(`${uri} is empty`);
  called.resources.push(uri);
}
const { prompts } = await client.listPrompts();
for (const prompt of prompts) {
  const given = Object.fromEntries((prompt.arguments ?? []).filter((each) => each.required).map((each) => [each.name, "Titan"]));
  const { messages } = await client.getPrompt({ name: prompt.name, arguments: given });
  if (messages.length === 0) throw new Error(`${prompt.name} is empty`);
  called.prompts.push(prompt.name);
}
const template = resourceTemplates.find((each) => each.uriTemplate.includes("{thread}"));
const ref = { type: "ref/resource", uri: template.uriTemplate };
const { completion } = await client.complete({ ref, argument: { name: "thread", value: "pl" } });
if (!completion.values.includes("plans")) throw new Error(JSON.stringify(completion));
await client.close();
console.log(JSON.stringify(called));
