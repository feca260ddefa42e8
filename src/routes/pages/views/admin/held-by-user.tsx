/** What a user has granted and connected, for admins: what the user's own pages show of it, and the ids. */
import { type Authorization, hasEnded } from '../../../../core/authorizations/authorization.js'
import type { Connection } from '../../../../core/connections/connection.js'
import { readClaim } from '../../../../core/grants/self-description.js'
import type { Upstream } from '../../../../core/upstream/upstream.js'
import { adminTexts } from '../../texts/admin.js'
import type { Visit } from '../../visit.js'
import { AuthorizationDetails, nameOf } from '../authorization-card.js'
import { Fact } from '../fact.js'
import { time } from '../format.js'
import { Form } from '../layout.js'
import { Exactly } from './frame.js'
import { upstreamName } from './who.js'

interface AuthorizationsProps {
  visit: Visit
  authorizations: readonly Authorization[]
  /** The path of the user, and the query of the page, to which the forms lead back. */
  path: string
  query: string
}

export function AuthorizationsOfUser({ visit, authorizations, path, query }: AuthorizationsProps) {
  if (authorizations.length === 0) return null
  return (
    <ul class="cards">
      {authorizations.map((authorization) => (
        <Granted key={authorization.id} visit={visit} authorization={authorization} path={path} query={query} />
      ))}
    </ul>
  )
}

interface GrantedProps extends Omit<AuthorizationsProps, 'authorizations'> {
  authorization: Authorization
}

function Granted({ visit, authorization, path, query }: GrantedProps) {
  const { user: texts } = adminTexts
  const { id, clientId, scopes } = authorization
  const name = nameOf(authorization, visit.texts.clients.unnamed)
  const isOver = hasEnded(authorization, visit.nowMs)
  return (
    <li>
      <h3>
        <bdi>{name}</bdi> <Standing authorization={authorization} isOver={isOver} />
      </h3>
      <AuthorizationDetails visit={visit} authorization={authorization}>
        <Fact term={texts.client}>
          <Exactly>{clientId}</Exactly>
        </Fact>
        <Fact term={texts.scopes}>{scopes.join(' ')}</Fact>
        <Fact term={texts.id}>
          <Exactly>{id}</Exactly>
        </Fact>
      </AuthorizationDetails>
      {!isOver && (
        <div class="actions">
          <Form visit={visit} action={`${path}/clients/${encodeURIComponent(id)}/revoke${query}`}>
            <button type="submit" class="danger" aria-label={texts.revokeNamed(name)}>
              {texts.revoke}
            </button>
          </Form>
        </div>
      )}
    </li>
  )
}

function Standing({ authorization, isOver }: { authorization: Authorization; isOver: boolean }) {
  const { user: texts } = adminTexts
  if (!isOver) return authorization.awaitsCollection ? <small class="badge">{texts.awaited}</small> : null
  return <small class="badge alarm">{authorization.revokedAtMs === undefined ? texts.ended : texts.revoked}</small>
}

interface ConnectionsProps {
  visit: Visit
  connections: readonly Connection[]
  upstreams: readonly Upstream[]
}

export function ConnectionsOfUser({ visit, connections, upstreams }: ConnectionsProps) {
  const { user: texts } = adminTexts
  if (connections.length === 0) return null
  return (
    <ul class="cards">
      {connections.map(({ id, upstreamId, username, subject, connectedAtMs, status }) => (
        <li key={id}>
          <h3>
            {upstreamName(upstreams, upstreamId)}: <bdi>{readClaim(username)?.text ?? subject}</bdi>{' '}
            {status === 'needs_reconnect' && <small class="badge alarm">{texts.needsReconnect}</small>}
          </h3>
          <dl>
            <Fact term={texts.since}>{time(visit, connectedAtMs)}</Fact>
            <Fact term={texts.id}>
              <Exactly>{id}</Exactly>
            </Fact>
          </dl>
        </li>
      ))}
    </ul>
  )
}
