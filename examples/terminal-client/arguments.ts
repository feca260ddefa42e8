/** Reads the command line and GRANTD_URL. Throws with a message for the user if they make no sense. */
import { parseArgs } from 'node:util'
import { readAddresses } from './address.js'
import type { Action } from './approve-by-api.js'

export const USAGE = `usage: npm run demo                  asks for a grant and waits for the decision
       npm run demo -- --yes         the same, and approves it as a demo user
       npm run demo -- --open        the same, and opens the page in your browser
       npm run demo -- approve CODE  in a second terminal: approves the request
       npm run demo -- deny CODE     in a second terminal: denies it

  --qr  draws the QR code even where the output is no terminal

  GRANTD_URL            the service, by default http://127.0.0.1:3333; if nobody
                        answers there, the demo starts one of its own
  DASHBOARD_JWT_SECRET  to decide on a service where nobody can sign in by a name`

export type Command =
  | { kind: 'help' }
  | { kind: 'play'; addresses: [URL, ...URL[]]; approveItself: boolean; withQr: boolean; opensBrowser: boolean }
  | { kind: 'decide'; addresses: [URL, ...URL[]]; action: Action; code: string }

export function readCommand(args: string[], env: NodeJS.ProcessEnv): Command {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      yes: { type: 'boolean', short: 'y', default: false },
      open: { type: 'boolean', default: false },
      qr: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false }
    }
  })
  if (values.help) return { kind: 'help' }
  const addresses = readAddresses(env.GRANTD_URL)
  const [action, code, ...rest] = positionals

  if (action === undefined) {
    return { kind: 'play', addresses, approveItself: values.yes, withQr: values.qr, opensBrowser: values.open }
  }
  if (action !== 'approve' && action !== 'deny') throw new Error(`there is no command "${action}"`)
  if (!code || rest.length > 0) throw new Error(`${action} takes one code, the one that the first terminal shows`)
  if (values.yes || values.qr || values.open) throw new Error(`${action} takes no options`)
  return { kind: 'decide', addresses, action, code }
}
