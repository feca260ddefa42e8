import { fault } from '../../core/fault.js'
import type { PageParts } from './page.js'

/** What is nowhere, but below a page: whoever strays there is a person, and is told so by a page. */
export function refuseUnknown({ app }: PageParts): void {
  for (const url of ['/account', '/account/*', '/device/*', '/login/*', '/logout/*']) {
    app.get(url, async () => {
      throw fault('not_found')
    })
  }
}
