import type { Visit } from '../visit.js'
import { Layout, Notice } from './layout.js'

interface RefusedByRuleProps {
  visit: Visit
  /** What the operator says of it, in their own words. */
  say: string | undefined
  /** The link that takes the refusal back to the program, if it asked on this device. */
  next?: { href: string; text: string }
}

/** A rule of the operator does not let this question be answered here. */
export function RefusedByRule({ visit, say, next }: RefusedByRuleProps) {
  const { texts, base } = visit
  const { refusedTitle, refused } = texts.result
  const { href, text } = next ?? { href: `${base}/`, text: texts.error.home }
  return (
    <Layout visit={visit} title={refusedTitle}>
      {say !== undefined && (
        <Notice kind="problem">
          <bdi>{say}</bdi>
        </Notice>
      )}
      <p>{refused}</p>
      <p>
        <a href={href}>
          <bdi>{text}</bdi>
        </a>
      </p>
    </Layout>
  )
}
