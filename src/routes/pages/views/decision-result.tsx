import type { EnteredCode } from '../cookies.js'
import type { Visit } from '../visit.js'
import { Form, Layout, Notice } from './layout.js'

interface DecisionResultProps {
  visit: Visit
  /** `withdrawn`: by the client, before a decision. `lapsed`: approved, and not collected in time. */
  result: NonNullable<EnteredCode['result']> | 'withdrawn' | 'lapsed'
  /** Whether the client has collected the approval. */
  isCollected?: boolean
}

/** The result of the decision, with an undo button while undoing is possible. Contains no secret. */
export function DecisionResult({ visit, result, isCollected = false }: DecisionResultProps) {
  const { result: texts } = visit.texts
  if (result === 'denied' || result === 'withdrawn' || result === 'lapsed') {
    return (
      <Layout visit={visit} title={texts[`${result}Title`]}>
        <p>{texts[result]}</p>
        <p>{texts[`${result}Advice`]}</p>
      </Layout>
    )
  }
  if (result === 'undone') {
    return (
      <Layout visit={visit} title={texts.undoneTitle}>
        <p>{texts.undone}</p>
        <Manage visit={visit} />
      </Layout>
    )
  }
  return (
    <Layout visit={visit} title={texts.approvedTitle} isDone>
      {isCollected ? (
        <Notice kind="done">{texts.collected}</Notice>
      ) : (
        <>
          <p>{texts.approved}</p>
          <p>
            <a href={`${visit.base}/device/done`}>{texts.lookAgain}</a>
          </p>
        </>
      )}
      <Form visit={visit} action="/device/undo" class="stack aside">
        <p>{texts.undoIntro}</p>
        <button type="submit">{texts.undo}</button>
      </Form>
      <Manage visit={visit} />
    </Layout>
  )
}

function Manage({ visit }: { visit: Visit }) {
  return (
    <p>
      <a href={`${visit.base}/account/clients`}>{visit.texts.result.manage}</a>
    </p>
  )
}
