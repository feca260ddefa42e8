import type { Visit } from '../visit.js'
import { Form, Layout } from './layout.js'

export function Logout({ visit }: { visit: Visit }) {
  const { logout } = visit.texts
  return (
    <Layout visit={visit} title={logout.title}>
      <p>{logout.intro}</p>
      <Form visit={visit} action="/logout">
        <button type="submit" class="primary">
          {logout.submit}
        </button>
      </Form>
    </Layout>
  )
}
