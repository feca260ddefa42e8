/** The tools of the example: what an MCP server does for a user, once it knows who that is. */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { z } from 'zod'

/** The scope that everything here needs, `tools/list` and `initialize` too. */
export const READ = 'notes.read'

/** The scopes of the tools that need more than that. */
const SCOPES = new Map<unknown, string>([['add_note', `${READ} notes.write`]])

/** A message of the protocol, as far as it is looked at here. */
export interface Message {
  method?: unknown
  params?: { name?: unknown } | null
}

/** The scopes that a message needs: those of the tool that it calls. */
export function scopesOf({ method, params }: Message): string {
  return (method === 'tools/call' && SCOPES.get(params?.name)) || READ
}

/** A server with the tools for one user. `notes` are theirs. */
export function createTools(user: string, notes: string[]): McpServer {
  const server = new McpServer({ name: 'notes', version: '1.0.0' })

  server.registerTool('list_notes', { description: 'Lists your notes' }, () => {
    const text = [`${user} has ${notes.length} notes.`, ...notes].join('\n')
    return { content: [{ type: 'text', text }] }
  })

  const inputSchema = { text: z.string().min(1).max(200) }
  server.registerTool('add_note', { description: 'Adds a note', inputSchema }, ({ text }) => {
    notes.splice(0, notes.length, ...[...notes, text].slice(-100))
    return { content: [{ type: 'text', text: `Noted for ${user}.` }] }
  })

  return server
}
