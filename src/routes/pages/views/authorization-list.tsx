import { type Authorization, hasEnded } from '../../../core/authorizations/authorization.js'
import type { Texts } from '../texts/en.js'
import type { Visit } from '../visit.js'
import { ActiveAuthorization, EndedAuthorization } from './authorization-card.js'
import { Form, Layout, Notice } from './layout.js'

export type AuthorizationsDone = keyof Texts['clients']['done']

interface AuthorizationListProps {
  visit: Visit
  /** Those of one page of the list, and how many are active on all of them. */
  authorizations: readonly Authorization[]
  active: number
  /** The cursors of this page, if it is not the first one, and of the next, if there is one. */
  cursor: string | undefined
  next: string | undefined
  /** The id of the authorization that was approved last in this browser. */
  approvedHereId: string | undefined
  done: AuthorizationsDone | undefined
}

export function AuthorizationList(props: AuthorizationListProps) {
  const { visit, authorizations, cursor, next, approvedHereId, done } = props
  const { clients: texts } = visit.texts
  const active = authorizations.filter((authorization) => !hasEnded(authorization, visit.nowMs))
  const ended = authorizations.filter((authorization) => hasEnded(authorization, visit.nowMs))
  return (
    <Layout visit={visit} title={texts.title} here="clients">
      {done && <Notice kind="done">{texts.done[done]}</Notice>}
      {authorizations.length === 0 ? <Nothing visit={visit} /> : <p>{texts.intro}</p>}
      {active.length > 0 && (
        <section>
          <h2>{texts.active}</h2>
          <ul class="cards">
            {active.map((authorization) => (
              <ActiveAuthorization
                key={authorization.id}
                visit={visit}
                authorization={authorization}
                isApprovedHere={authorization.id === approvedHereId}
                query={cursor === undefined ? '' : queryOf(cursor)}
              />
            ))}
          </ul>
          <details class="danger">
            <summary>{texts.revokeAll}</summary>
            <Form visit={visit} action="/account/clients/revoke-all" class="stack">
              <p>{texts.revokeAllIntro(props.active)}</p>
              <button type="submit" class="danger">
                {texts.revokeAllConfirm}
              </button>
            </Form>
          </details>
        </section>
      )}
      {ended.length > 0 && (
        <section>
          <h2>{texts.ended}</h2>
          <ul class="cards ended">
            {ended.map((authorization) => (
              <EndedAuthorization key={authorization.id} visit={visit} authorization={authorization} />
            ))}
          </ul>
        </section>
      )}
      {(cursor !== undefined || next !== undefined) && (
        <p class="pages">
          {cursor !== undefined && <a href={`${visit.base}/account/clients`}>{texts.firstPage}</a>}{' '}
          {next !== undefined && (
            <a rel="next" href={`${visit.base}/account/clients${queryOf(next)}`}>
              {texts.nextPage}
            </a>
          )}
        </p>
      )}
    </Layout>
  )
}

const queryOf = (cursor: string) => `?${new URLSearchParams({ cursor })}`

/** The empty list, which explains how to add to it. */
function Nothing({ visit }: { visit: Visit }) {
  return (
    <section class="empty">
      <p>{visit.texts.clients.none}</p>
      <p>
        <a class="button" href={`${visit.base}/device`}>
          {visit.texts.nav.device}
        </a>
      </p>
    </section>
  )
}
