import { type PageParts, seeOther } from './page.js'
import { visitOf } from './visit.js'

/** GET /: the page most people come for. */
export function showStart({ app }: PageParts): void {
  app.get('/', async (request, reply) => seeOther(reply, visitOf(request), '/device'))
}
