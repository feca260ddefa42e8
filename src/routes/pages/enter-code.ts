import { formatUserCode, readUserCode } from '../../core/grants/codes.js'
import { readTypedCode } from './entered-code.js'
import { type PageParts, seeOther, sendPage } from './page.js'
import { CodeForm } from './views/code-form.js'
import { visitOf } from './visit.js'

/** POST /device: looks the code up and goes on to the question. Why a code leads nowhere is not told. */
export function enterCode({ app, cookies, visits }: PageParts): void {
  app.route({
    method: 'POST',
    url: '/device',
    onRequest: [app.limits.perAddress('peek'), visits.requireSession('device'), app.limits.perUser('peek')],
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      const visit = visitOf(request)
      const typed = readTypedCode((request.body as { user_code?: unknown }).user_code)
      const outcome = await app.limits.guess(request, () => app.core.grants.peek(typed ?? ''))
      if (typed === undefined || outcome.kind !== 'pending') {
        cookies.enteredCode.clear(reply)
        return sendPage(reply.code(400), CodeForm, { visit, isInvalid: true })
      }
      const userCode = formatUserCode(readUserCode(typed) ?? '')
      const before = cookies.enteredCode.read(request)
      const linked = before?.linked === true && readUserCode(before.userCode) === readUserCode(typed)
      cookies.enteredCode.set(reply, { userCode, linked, isEntered: true })
      return seeOther(reply, visit, '/device/confirm')
    }
  })
}
