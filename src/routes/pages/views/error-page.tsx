import type { Visit } from '../visit.js'
import { Layout, Notice } from './layout.js'

interface ErrorPageProps {
  visit: Visit
  sentence: string
  /** The request id, by which the log can be searched. */
  reference?: string | undefined
  /** Where the link leads, by a path of these pages or a URL; by default to the landing page. */
  next?: { href: string; text: string }
}

export function ErrorPage({ visit, sentence, reference, next }: ErrorPageProps) {
  const { texts, base } = visit
  const { href, text } = next ?? { href: '/', text: texts.error.home }
  return (
    <Layout visit={visit} title={texts.error.title}>
      <Notice kind="problem">{sentence}</Notice>
      {reference && <p class="aside">{texts.error.reference(reference)}</p>}
      <p>
        <a href={href.startsWith('/') ? base + href : href}>{text}</a>
      </p>
    </Layout>
  )
}
