/**
 * An MCP server that takes tokens of grantd, with nothing in front of it. `npm run example:mcp`, or see README.md. Exit code 1 if it is
 * not told what it needs.
 */
import { createMcpServer } from './server.js'

/** The reasons of an error are its causes, the last of which says most. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  return error.cause instanceof Error ? reasonOf(error.cause) : error.message
}

const { ISSUER, AUDIENCE, CLIENT_ID, CLIENT_SECRET, PORT = '4100' } = process.env

if (!ISSUER || !AUDIENCE || !CLIENT_ID || !CLIENT_SECRET) {
  console.error('Set ISSUER, AUDIENCE, CLIENT_ID and CLIENT_SECRET: examples/mcp-server/README.md says to what.')
  process.exit(1)
}
const { server, verifier } = createMcpServer({
  issuer: ISSUER,
  audience: AUDIENCE,
  credentials: { clientId: CLIENT_ID, clientSecret: CLIENT_SECRET },
  onFeed: ({ state, error }) => console.error('revocation feed:', state, reasonOf(error))
})
// The first request need not wait, and wrong credentials show now and not then.
verifier.ready().catch((error) => console.error('no list of revocations yet:', reasonOf(error)))
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    server.close()
    server.closeAllConnections()
    verifier.close()
  })
}
server.listen(Number(PORT), '127.0.0.1', () => console.log(`MCP server at ${AUDIENCE}`))
