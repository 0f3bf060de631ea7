// Memory of Foxing for OpenCode. Written by `foxing install opencode`; `foxing install opencode --remove` takes it out.
// Each event of a session starts the program foxing-hook, as the hooks of other agents do. It never fails the agent.
import { spawn } from "node:child_process"

const COMMANDS = {}
const TIMEOUT_MS = 3000

const run = (event, folder, document) =>
  new Promise((resolve) => {
    const child = spawn(COMMANDS[event], { cwd: folder, shell: true, timeout: TIMEOUT_MS, stdio: ["pipe", "pipe", "ignore"] })
    let output = ""
    child.stdout.on("data", (part) => (output += part))
    child.on("error", () => resolve({}))
    child.stdin.on("error", () => {})
    child.on("close", () => {
      try {
        resolve(output ? JSON.parse(output) : {})
      } catch {
        resolve({})
      }
    })
    child.stdin.end(JSON.stringify({ cwd: folder, ...document }))
  })

const textOf = (parts) =>
  parts
    .filter((part) => part.type === "text" && !part.synthetic && !part.ignored)
    .map((part) => part.text)
    .join("\n")

export const Foxing = async ({ client, directory }) => {
  const begun = new Set() // sessions whose beginning was announced
  const ofAgents = new Map() // session -> whether a sub-agent runs it, whose prompts nobody typed
  const stored = new Set() // answers that were stored

  const isOfAgent = async (session) => {
    if (!ofAgents.has(session)) {
      const found = await client.session.get({ path: { id: session } }).catch(() => ({}))
      ofAgents.set(session, Boolean(found.data?.parentID))
    }
    return ofAgents.get(session)
  }

  const show = (message) =>
    client.tui.showToast({ body: { message, variant: "info" } }).catch(() => {})

  return {
    "chat.message": async (input, output) => {
      const session = input.sessionID
      const first = output.parts.find((part) => part.type === "text")
      const prompt = textOf(output.parts)
      if (!first || !prompt || (await isOfAgent(session))) return
      const asked = [["chat.message", { prompt, message_id: output.message.id }]]
      if (!begun.has(session)) asked.unshift(["session.created", {}])
      begun.add(session)
      const answers = await Promise.all(
        asked.map(([event, document]) => run(event, directory, { session_id: session, ...document })),
      )
      answers.forEach((answer, number) => {
        const text = answer.hookSpecificOutput?.additionalContext
        if (text) output.parts.push({ ...first, id: `${first.id}f${number}`, text, synthetic: true })
        if (answer.systemMessage) show(answer.systemMessage)
      })
    },

    event: async ({ event }) => {
      const session = event.properties?.sessionID ?? event.properties?.info?.id
      if (event.type === "session.deleted" && begun.delete(session)) {
        await run("session.deleted", directory, { session_id: session })
      }
      if (event.type !== "session.idle" || !begun.has(session)) return
      const found = await client.session.messages({ path: { id: session } }).catch(() => ({}))
      for (const { info, parts } of found.data ?? []) {
        const text = info.role === "assistant" && info.time?.completed ? textOf(parts) : ""
        if (!text || stored.has(info.id)) continue
        stored.add(info.id)
        await run("session.idle", directory, { session_id: session, response: text, message_id: info.id })
      }
    },
  }
}
