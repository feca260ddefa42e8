import type { Upstream } from '../../../core/upstream/upstream.js'
import type { Visit } from '../visit.js'
import { Form, Layout, Notice } from './layout.js'

interface LoginProps {
  visit: Visit
  upstreams: readonly Upstream[]
  /** Whether anybody may type a name. */
  isDemo: boolean
  hasSignedOut?: boolean
  isNameInvalid?: boolean
}

/**
 * Where signing in begins. Upstreams are links and no forms: browsers apply the form-action of our content security policy to
 * the redirects that follow a form as well, and where an upstream redirects to cannot be known.
 */
export function Login({ visit, upstreams, isDemo, hasSignedOut = false, isNameInvalid = false }: LoginProps) {
  const { login } = visit.texts
  const reauthenticates = visit.visitor?.reauthenticates === true
  return (
    <Layout visit={visit} title={login.title}>
      {hasSignedOut && <Notice kind="done">{login.signedOut}</Notice>}
      {reauthenticates && <p>{login.again}</p>}
      {!reauthenticates && <p>{login.goingTo[visit.visitor?.destination ?? 'device']}</p>}
      {upstreams.length > 0 && (
        <ul class="providers">
          {upstreams
            .filter(({ signsIn }) => signsIn)
            .map(({ id, name }) => (
              <li key={id}>
                <a class="button primary" href={`${visit.base}/login/${id}`}>
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

/** Asks before the session ends. */
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
