import type { Visit } from '../visit.js'
import { CodeEntry } from './code-form.js'
import { Layout } from './layout.js'

interface StartProps {
  visit: Visit
  /** Whether the service is only tried out. */
  isDemo: boolean
  /** Where the API is described. */
  docsPath: string
}

/** The landing page: what this is, for a person who has a code and, where the service is tried out, for a developer. */
export function Start({ visit, isDemo, docsPath }: StartProps) {
  const { texts, base, session, serviceName } = visit
  const { start } = texts
  return (
    <Layout visit={visit} title={start.title}>
      <p>{start.intro(serviceName)}</p>
      <section>
        <h2>{start.codeTitle}</h2>
        <CodeEntry visit={visit} />
        {!session && <p class="aside">{start.codeSignIn}</p>}
      </section>
      {!isDemo && (
        <section>
          <h2>{start.noCodeTitle}</h2>
          <p>{start.noCode}</p>
          <p>
            <a href={`${base}/account/clients`}>{texts.result.manage}</a>
          </p>
        </section>
      )}
      {isDemo && (
        <section>
          <h2>{start.developerTitle}</h2>
          <p>{start.developer}</p>
          <p>
            {start.demo} <code>npm run demo</code>
          </p>
          <ul>
            <li>
              <a href={docsPath}>{start.docs}</a>
            </li>
            <li>
              <a href={`${base}/account/clients`}>{start.clients}</a>
            </li>
          </ul>
        </section>
      )}
    </Layout>
  )
}
