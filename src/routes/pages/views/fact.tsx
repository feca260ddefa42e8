/** One row of a list of facts (`dl`), on all pages. */
import type { ComponentChildren } from 'preact'

/** A term and its description; none if there is nothing to say. */
export function Fact({ term, children }: { term: string; children: ComponentChildren }) {
  if (children === undefined || children === '') return null
  return (
    <div>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  )
}
