import type { Upstream } from '../../../core/upstream/upstream.js'
import type { Visit } from '../visit.js'
import { Form, Layout, Notice } from './layout.js'

interface LoginProps {
  visit: Visit
  upstreams: readonly Upstream[]
  /** Whether the demo sign-in is offered. */
  isDemo: boolean
  hasSignedOut?: boolean
  isNameInvalid?: boolean
}

/**
 * The sign-in page. Upstreams are links, not forms, because browsers apply the policy `form-action` to redirects after a form
 * as well, and the redirects of an upstream are unknown.
 */
export function Login({ visit, upstreams, isDemo, hasSignedOut = false, isNameInvalid = false }: LoginProps) {
  const { login } = visit.texts
  const offered = upstreams.filter(({ signsIn }) => signsIn)
  const { reauthenticates, destination = 'device', askId, admin } = visit.visitor ?? {}
  // Nobody is told of admin pages before they may see them.
  const why = reauthenticates
    ? login.again
    : admin === undefined && login.goingTo[askId === undefined ? destination : 'ask']
  return (
    <Layout visit={visit} title={login.title}>
      {hasSignedOut && <Notice kind="done">{login.signedOut}</Notice>}
      {why && <p>{why}</p>}
      {upstreams.length > 0 && (
        <ul class="providers">
          {offered.map(({ id, name }) => (
            <li key={id}>
              <a class="button primary" href={`${visit.base}/login/${id}${askId === undefined ? '' : `?ask=${askId}`}`}>
                {login.with(name)}
              </a>
            </li>
          ))}
        </ul>
      )}
      {isDemo && (
        <section>
          <h2>{login.demoTitle}</h2>
          <p>{login.demo}</p>
          {isNameInvalid && <Notice kind="problem">{login.demoInvalid}</Notice>}
          <Form visit={visit} action="/login" class="stack">
            {askId && <input type="hidden" name="ask" value={askId} />}
            <label>
              <span>{login.demoName}</span>
              <input name="name" required maxLength={64} autocomplete="username" />
            </label>
            <button type="submit" class="primary">
              {login.demoSubmit}
            </button>
          </Form>
        </section>
      )}
    </Layout>
  )
}

/** The confirmation page before signing out. */
export function Logout({ visit, askId }: { visit: Visit; askId: string | undefined }) {
  const { logout } = visit.texts
  return (
    <Layout visit={visit} title={logout.title}>
      <p>{logout.intro}</p>
      <Form visit={visit} action="/logout">
        {askId && <input type="hidden" name="ask" value={askId} />}
        <button type="submit" class="primary">
          {logout.submit}
        </button>
      </Form>
    </Layout>
  )
}
