/** An authorization in the list: its name, what is known of it and, while it is active, what its user can do with it. */
import { type Authorization, hasEnded } from '../../../core/authorizations/authorization.js'
import { hostOfClient } from '../../../core/clients/client.js'
import { hostOf } from '../../../core/clients/resource.js'
import { readClaim } from '../../../core/grants/self-description.js'
import type { Visit } from '../visit.js'
import { Fact } from './fact.js'
import { ago, time } from './format.js'
import { Form } from './layout.js'

interface ActiveAuthorizationProps {
  visit: Visit
  authorization: Authorization
  isApprovedHere: boolean
  /** The query of the page, to which its forms lead back. */
  query: string
}

export function ActiveAuthorization({ visit, authorization, isApprovedHere, query }: ActiveAuthorizationProps) {
  const { clients: texts } = visit.texts
  const name = nameOf(authorization, texts.unnamed)
  return (
    <li>
      <h3>
        <bdi>{name}</bdi> {isApprovedHere && <small class="badge">{texts.approvedHere}</small>}
      </h3>
      <AuthorizationDetails visit={visit} authorization={authorization} />
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

/** What has ended has no actions. */
export function EndedAuthorization({ visit, authorization }: { visit: Visit; authorization: Authorization }) {
  return (
    <li>
      <h3>
        <bdi>{nameOf(authorization, visit.texts.clients.unnamed)}</bdi>
      </h3>
      <AuthorizationDetails visit={visit} authorization={authorization} />
    </li>
  )
}

interface AuthorizationDetailsProps {
  visit: Visit
  authorization: Authorization
  /** Further facts. */
  children?: preact.ComponentChildren
}

/** What is known of an authorization. */
export function AuthorizationDetails({ visit, authorization, children }: AuthorizationDetailsProps) {
  const { clients: texts, clientTypes, consent } = visit.texts
  const version = readClaim(authorization.version)?.text
  const claimed = hostOfClient(authorization.clientId) && readClaim(authorization.name)?.text
  const isOver = hasEnded(authorization, visit.nowMs)
  return (
    <dl>
      <Fact term={texts.kind}>{clientTypes[authorization.clientType]}</Fact>
      {claimed !== undefined && (
        <Fact term={consent.claimedName}>
          <q>
            <bdi>{claimed}</bdi>
          </q>
        </Fact>
      )}
      {authorization.resources.length > 0 && (
        <Fact term={texts.resources}>
          <bdi>{authorization.resources.map(hostOf).join(', ')}</bdi>
        </Fact>
      )}
      {version !== undefined && (
        <Fact term={texts.version}>
          <bdi>{version}</bdi>
        </Fact>
      )}
      <Fact term={texts.approvedOn}>
        {time(visit, authorization.createdAtMs)} <small>{`${texts.approvedFrom} ${authorization.ipAtGrant}`}</small>
      </Fact>
      <Fact term={texts.lastUsed}>
        {authorization.lastUsedAtMs !== undefined
          ? ago(visit, authorization.lastUsedAtMs)
          : isOver || !authorization.awaitsCollection
            ? texts.neverUsed
            : texts.awaited}
      </Fact>
      <Fact term={texts[termOfEnd(authorization, isOver)]}>
        {time(visit, authorization.revokedAtMs ?? authorization.expiresAtMs)}
      </Fact>
      {children}
    </dl>
  )
}

function termOfEnd({ revokedAtMs, awaitsCollection }: Authorization, isOver: boolean) {
  if (revokedAtMs !== undefined) return 'revokedOn'
  if (awaitsCollection) return isOver ? 'lapsedOn' : 'collectBy'
  return isOver ? 'expiredOn' : 'expires'
}

/** The label has precedence over the client's name, which for a client known by a URL is its host. */
export function nameOf({ label, name, clientId }: Authorization, fallback: string): string {
  const [own, claimed] = [readClaim(label)?.text, hostOfClient(clientId) ?? readClaim(name)?.text]
  if (own !== undefined && claimed !== undefined && own !== claimed) return `${claimed} (${own})`
  return own ?? claimed ?? fallback
}
