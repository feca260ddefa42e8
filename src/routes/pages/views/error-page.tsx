import type { Visit } from '../visit.js'
import { Layout, Notice } from './layout.js'

interface ErrorPageProps {
  visit: Visit
  sentence: string
  /** What the log can be searched for. */
  reference?: string | undefined
  /** Where to go from here; the start of everything by default. */
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
        <a href={base + href}>{text}</a>
      </p>
    </Layout>
  )
}
