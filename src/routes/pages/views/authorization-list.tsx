import { type Authorization, hasEnded } from '../../../core/authorizations/authorization.js'
import { readClaim } from '../../../core/grants/self-description.js'
import type { Texts } from '../texts/en.js'
import type { Visit } from '../visit.js'
import { ago, time } from './format.js'
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
              <li key={authorization.id}>
                <h3>
                  <bdi>{nameOf(authorization, texts.unnamed)}</bdi>
                </h3>
                <Details visit={visit} authorization={authorization} />
              </li>
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

interface ActiveAuthorizationProps {
  visit: Visit
  authorization: Authorization
  isApprovedHere: boolean
  /** The query of the page, to which its forms lead back. */
  query: string
}

function ActiveAuthorization({ visit, authorization, isApprovedHere, query }: ActiveAuthorizationProps) {
  const { clients: texts } = visit.texts
  const name = nameOf(authorization, texts.unnamed)
  return (
    <li>
      <h3>
        <bdi>{name}</bdi> {isApprovedHere && <small class="badge">{texts.approvedHere}</small>}
      </h3>
      <Details visit={visit} authorization={authorization} />
      <div class="actions">
        <Form visit={visit} action={`/account/clients/${authorization.id}/rename${query}`} class="inline">
          <label>
            <span>{texts.label}</span>
            <input name="label" value={authorization.label ?? ''} maxLength={255} autocomplete="off" />
          </label>
          <button type="submit" aria-label={texts.renameNamed(name)}>
            {texts.rename}
          </button>
        </Form>
        <Form visit={visit} action={`/account/clients/${authorization.id}/revoke${query}`}>
          <button type="submit" class="danger" aria-label={texts.revokeNamed(name)}>
            {texts.revoke}
          </button>
        </Form>
      </div>
    </li>
  )
}

function Details({ visit, authorization }: { visit: Visit; authorization: Authorization }) {
  const { clients: texts, clientTypes } = visit.texts
  const version = readClaim(authorization.version)?.text
  const isOver = hasEnded(authorization, visit.nowMs)
  return (
    <dl>
      <Detail term={texts.kind}>{clientTypes[authorization.clientType]}</Detail>
      {version !== undefined && (
        <Detail term={texts.version}>
          <bdi>{version}</bdi>
        </Detail>
      )}
      <Detail term={texts.approvedOn}>
        {time(visit, authorization.createdAtMs)} <small>{`${texts.approvedFrom} ${authorization.ipAtGrant}`}</small>
      </Detail>
      <Detail term={texts.lastUsed}>
        {authorization.lastUsedAtMs !== undefined
          ? ago(visit, authorization.lastUsedAtMs)
          : isOver || !authorization.awaitsCollection
            ? texts.neverUsed
            : texts.awaited}
      </Detail>
      <Detail term={texts[termOfEnd(authorization, isOver)]}>
        {time(visit, authorization.revokedAtMs ?? authorization.expiresAtMs)}
      </Detail>
    </dl>
  )
}

function termOfEnd({ revokedAtMs, awaitsCollection }: Authorization, isOver: boolean) {
  if (revokedAtMs !== undefined) return 'revokedOn'
  if (awaitsCollection) return isOver ? 'lapsedOn' : 'collectBy'
  return isOver ? 'expiredOn' : 'expires'
}

function Detail({ term, children }: { term: string; children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  )
}

/** The label has precedence over the client's name. */
function nameOf({ label, name }: Authorization, fallback: string): string {
  const [own, claimed] = [readClaim(label)?.text, readClaim(name)?.text]
  if (own !== undefined && claimed !== undefined && own !== claimed) return `${claimed} (${own})`
  return own ?? claimed ?? fallback
}
