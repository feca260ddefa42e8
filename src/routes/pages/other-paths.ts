/** The paths of people that are no page. */
import { fault } from '../../core/fault.js'
import { type PageParts, seeOther } from './page.js'
import { visitOf } from './visit.js'

/** GET /: leads to the page most people come for. */
export function showStart({ app }: PageParts): void {
  app.get('/', async (request, reply) => seeOther(reply, visitOf(request), '/device'))
}

/** Paths below a page that lead nowhere. People stray there, so a page says so. */
export function refuseUnknown({ app }: PageParts): void {
  for (const url of ['/account', '/account/*', '/device/*', '/login/*', '/logout/*']) {
    app.get(url, async () => {
      throw fault('not_found')
    })
  }
}
