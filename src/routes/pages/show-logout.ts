import { type PageParts, seeOther, sendPage } from './page.js'
import { Logout } from './views/logout.js'
import { visitOf } from './visit.js'

/** GET /logout: asks first, so that no link can sign anybody out. */
export function showLogout({ app }: PageParts): void {
  app.get('/logout', async (request, reply) => {
    const visit = visitOf(request)
    return visit.session ? sendPage(reply, Logout, { visit }) : seeOther(reply, visit, '/login')
  })
}
