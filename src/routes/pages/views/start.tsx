import type { Visit } from '../visit.js'
import { CodeEntry } from './code-form.js'
import { Layout } from './layout.js'

interface StartProps {
  visit: Visit
  /** Whether the service runs as a trial. */
  isDemo: boolean
  /** The URL of the API documentation. */
  docsPath: string
}

/** The landing page, for a person with a code and, in a trial, for a developer. */
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
