import type { Connection } from '../../../core/connections/connection.js'
import { readClaim } from '../../../core/grants/self-description.js'
import type { Upstream } from '../../../core/upstream/upstream.js'
import type { IdentityUse } from '../../../core/users/identities.js'
import type { Texts } from '../texts/en.js'
import type { Visit } from '../visit.js'
import { time } from './format.js'
import { Form, Layout, Notice } from './layout.js'

export type ConnectionsDone = keyof Texts['connections']['done']
const WENT_WRONG: readonly ConnectionsDone[] = ['failed', 'denied', 'invalid', 'not_fresh', 'taken']

/** A connection, and its use at sign-in; undefined if its upstream offers no choice. */
export interface ListedConnection {
  connection: Connection
  use: IdentityUse | undefined
}

interface ConnectionListProps {
  visit: Visit
  listed: readonly ListedConnection[]
  upstreams: readonly Upstream[]
  done: ConnectionsDone | undefined
}

export function ConnectionList({ visit, listed, upstreams, done }: ConnectionListProps) {
  const { connections: texts } = visit.texts
  const nameOf = ({ connection: { upstreamId } }: ListedConnection) =>
    upstreams.find(({ id }) => id === upstreamId)?.name ?? upstreamId
  return (
    <Layout visit={visit} title={texts.title} here="connections">
      {done && <Notice kind={WENT_WRONG.includes(done) ? 'problem' : 'done'}>{texts.done[done]}</Notice>}
      <p>{texts.intro}</p>
      {listed.length === 0 && (
        <section class="empty">
          <p>{texts.none}</p>
          <p>{upstreams.length > 0 ? texts.noneAdvice : texts.noProviders}</p>
        </section>
      )}
      {listed.length > 0 && (
        <ul class="cards">
          {listed.map((one) => (
            <ConnectionCard key={one.connection.id} visit={visit} {...one} upstreamName={nameOf(one)} />
          ))}
        </ul>
      )}
      {upstreams.length > 0 && (
        <section>
          <h2>{texts.addTitle}</h2>
          <ul class="providers">
            {upstreams.map(({ id, name }) => (
              <li key={id}>
                <a class="button" href={`${visit.base}/account/connections/${id}/connect`}>
                  {texts.connect(name)}
                </a>
              </li>
            ))}
          </ul>
        </section>
      )}
    </Layout>
  )
}

type ConnectionCardProps = ListedConnection & { visit: Visit; upstreamName: string }

function ConnectionCard({ visit, connection, use, upstreamName }: ConnectionCardProps) {
  const { connections: texts } = visit.texts
  const username = readClaim(connection.username)?.text ?? connection.subject
  return (
    <li>
      <h2>
        {upstreamName}: <bdi>{username}</bdi>{' '}
        <small class={`badge ${connection.status === 'connected' ? '' : 'alarm'}`}>
          {texts.status[connection.status]}
        </small>
      </h2>
      <dl>
        <div>
          <dt>{texts.since}</dt>
          <dd>{time(visit, connection.connectedAtMs)}</dd>
        </div>
        <div>
          <dt>{texts.scopes}</dt>
          <dd>
            {connection.scopes.length === 0 && texts.noScopes}
            {connection.scopes.map((scope) => (
              <>
                <code key={scope}>{scope}</code>{' '}
              </>
            ))}
          </dd>
        </div>
        {use && (
          <div>
            <dt>{texts.signIn}</dt>
            <dd>{texts.uses[use]}</dd>
          </div>
        )}
      </dl>
      <div class="actions">
        {connection.status === 'needs_reconnect' && (
          <a class="button" href={`${visit.base}/account/connections/${connection.upstreamId}/connect`}>
            {texts.reconnect(upstreamName)}
          </a>
        )}
        {use && use !== 'first' && (
          <Form visit={visit} action={`/account/connections/${connection.id}/sign-in`}>
            <button
              type="submit"
              name="may"
              value={use === 'connected' ? 'yes' : 'no'}
              aria-label={texts.chooseNamed[use](`${upstreamName} ${username}`)}
            >
              {texts.choose[use]}
            </button>
          </Form>
        )}
        <Form visit={visit} action={`/account/connections/${connection.id}/disconnect`}>
          <button type="submit" class="danger" aria-label={texts.disconnectNamed(`${upstreamName} ${username}`)}>
            {texts.disconnect}
          </button>
        </Form>
      </div>
    </li>
  )
}
