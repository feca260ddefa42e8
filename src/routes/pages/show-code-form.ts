import { formatUserCode, readUserCode } from '../../core/grants/codes.js'
import { readTypedCode } from './entered-code.js'
import { type PageParts, seeOther, sendPage } from './page.js'
import { CodeForm } from './views/code-form.js'
import { visitOf } from './visit.js'

/**
 * GET /device: where a code is entered. A code in the query fills the form in and decides nothing; it is moved out of the URL
 * at once, into the visitor's cookie, and survives signing in there.
 */
export function showCodeForm({ app, cookies, visits }: PageParts): void {
  const requireSession = visits.requireSession('device')

  app.get('/device', async (request, reply) => {
    const visit = visitOf(request)
    const { code } = request.query as { code?: unknown }
    if (code !== undefined) {
      const typed = readTypedCode(code)
      // A link with something else in it leads to the empty form.
      if (typed === undefined) cookies.enteredCode.clear(reply)
      else cookies.enteredCode.set(reply, { userCode: typed, linked: true })
      return seeOther(reply, visit, '/device')
    }
    await requireSession(request, reply)
    if (reply.sent) return reply
    const entered = cookies.enteredCode.read(request)
    const linkedCode = entered?.linked && !entered.result ? readable(entered.userCode) : undefined
    return sendPage(reply, CodeForm, { visit, ...(linkedCode !== undefined && { linkedCode }) })
  })
}

/** As a device shows it, if it can be a code; nothing else is put into anybody's form. */
function readable(typed: string): string | undefined {
  const userCode = readUserCode(typed)
  return userCode && formatUserCode(userCode)
}
