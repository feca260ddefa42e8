/** Finds users. The form is submitted, and answered by where it leads to, so that no address of anybody gets into a URL. */
import { Type } from '@sinclair/typebox'
import type { PersonQuery } from '../../../core/directory/directory.js'
import { formOf, type PageParts, seeOther, sendPage } from '../page.js'
import { AdminSearch } from '../views/admin/search.js'
import { visitOf } from '../visit.js'
import { pathOfUser } from './user-path.js'

/** How many users with one e-mail address are shown. */
const MOST = 50

const Field = Type.Optional(Type.String({ maxLength: 320 }))
const Search = formOf({ email: Field, id: Field, provider: Field, subject: Field })

/** GET /admin: the form. */
export function showSearch({ app }: PageParts): void {
  app.get('/admin', async (request, reply) => {
    const { upstreams } = app.core.signIn
    return sendPage(reply, AdminSearch, { visit: visitOf(request), upstreams })
  })
}

/** POST /admin/find: goes on to the one user who is found, and shows several, or that there is nobody. */
export function findUser({ app, visits }: PageParts): void {
  app.route({
    method: 'POST',
    url: '/admin/find',
    schema: { body: Search },
    config: { waitsForOthers: true },
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      const visit = visitOf(request)
      const { upstreams } = app.core.signIn
      const typed = request.body
      const query = readSearch(typed)
      if (!query) return sendPage(reply.code(400), AdminSearch, { visit, upstreams, typed, problem: 'incomplete' })
      const { items, next } = await app.core.directory.find(query, { after: undefined, most: MOST })
      const [first] = items
      if (!first) return sendPage(reply.code(404), AdminSearch, { visit, upstreams, typed, problem: 'nobody' })
      if (items.length === 1) return seeOther(reply, visit, `/admin/users/${pathOfUser(first.userId)}`)
      return sendPage(reply, AdminSearch, { visit, upstreams, typed, found: items, isMore: next !== undefined })
    }
  })
}

/** Whom the filled-in fields ask for; undefined if they name nobody. Browsers submit empty fields as well. */
function readSearch(typed: Partial<Record<'email' | 'id' | 'provider' | 'subject', string>>): PersonQuery | undefined {
  // Ids and subjects are what they are, with the space around them; an address has none.
  const email = typed.email?.trim() || undefined
  const [userId, upstreamId, subject] = [typed.id, typed.provider, typed.subject].map((text) => text || undefined)
  const identity = upstreamId !== undefined && subject !== undefined ? { upstreamId, subject } : undefined
  // A provider alone may have been chosen by mistake, but a subject was meant.
  if (subject !== undefined && !identity) return undefined
  if (userId === undefined && email === undefined && !identity) return undefined
  return { userId, email, identity }
}
