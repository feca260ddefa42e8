import type { ComponentChildren } from 'preact'
import type { Client } from '../../../core/clients/client.js'
import { countriesDiffer, type GrantRequest, type Location } from '../../../core/grants/grant.js'
import { type ReadableClaim, readClaim } from '../../../core/grants/self-description.js'
import type { Visit } from '../visit.js'
import { ago, country, place, span, time } from './format.js'
import { Form, Layout, Notice } from './layout.js'

export interface ConsentProps {
  visit: Visit
  request: GrantRequest
  createdAtMs: number
  client: Client
  /** As the device shows it. */
  userCode: string
  linked: boolean
  /** From where this page is looked at. */
  here: { ip: string; location: Location | undefined }
  /** What the decision refers to, sealed. */
  ticket: string
  userName: string
  /** The upstream through which the user has signed in. */
  upstreamName: string | undefined
  problem?: string
}

/**
 * The question (RFC 8628 §3.3, §5.4; RFC 10027). What this service knows stands apart from what the program says of itself.
 * Denying comes first, so that it is also what the Enter key does, and nothing on the page has an id that a link could focus.
 */
export function Consent(props: ConsentProps) {
  const { visit, request, client, userCode, problem } = props
  const { consent } = visit.texts
  return (
    <Layout visit={visit} title={consent.title}>
      {problem && <Notice kind="problem">{problem}</Notice>}
      <section class="compare">
        <h2>{consent.compare}</h2>
        <p class="code">{userCode}</p>
        <p>{consent.ifNot}</p>
      </section>
      <Warning {...props} />
      <Facts {...props} />
      <Claims request={request} visit={visit} />
      <Rights client={client} request={request} visit={visit} />
      <Form visit={visit} action="/device/confirm" class="stack decision">
        <input type="hidden" name="ticket" value={props.ticket} />
        <label class="check">
          <input type="checkbox" name="same" value="yes" required />
          <span>{consent.same(userCode)}</span>
        </label>
        <div class="choice">
          <button type="submit" name="action" value="deny" formNoValidate>
            {consent.deny}
          </button>
          <button type="submit" name="action" value="approve">
            <bdi>{consent.approve(nameOf(client, request, visit))}</bdi>
          </button>
        </div>
      </Form>
    </Layout>
  )
}

/** The name of what asks: the operator's, or else the program's own in quotes, or if that is doubtful its kind. */
export function nameOf(client: Client, request: Pick<GrantRequest, 'clientType' | 'metadata'>, visit: Visit): string {
  if (client.name !== undefined) return client.name
  const claimed = readClaim(request.metadata.name)
  const isPlain = claimed !== undefined && claimed.doubts.length === 0
  return isPlain ? `“${claimed.text}”` : visit.texts.clientTypes[request.clientType]
}

function Warning({ visit, request, linked, here }: ConsentProps) {
  const { warning } = visit.texts.consent
  const countries = countriesDiffer(request.location, here.location)
  const isStrong = linked || countries === true
  return (
    <section class={`warning ${isStrong ? 'strong' : ''}`}>
      <h2>{isStrong ? warning.strongTitle : warning.title}</h2>
      {countries && (
        <p>
          {warning.countries(
            country(visit, request.location?.country ?? ''),
            country(visit, here.location?.country ?? '')
          )}
        </p>
      )}
      {linked && <p>{warning.linked}</p>}
      <p>{warning.base}</p>
    </section>
  )
}

/** What this service has found out itself, as opposed to the claims of the client. */
function Facts({ visit, request, createdAtMs, client, here, userName, upstreamName }: ConsentProps) {
  const { consent, clientTypes } = visit.texts
  return (
    <dl class="facts">
      <Fact term={consent.who}>
        <bdi>{userName}</bdi>
        {upstreamName && ` (${upstreamName})`}{' '}
        <small>
          <a href={`${visit.base}/logout`}>{consent.notYou}</a>
        </small>
      </Fact>
      <Fact term={consent.program}>
        {client.name === undefined ? (
          clientTypes[request.clientType]
        ) : (
          <>
            <bdi>{client.name}</bdi> <small>{consent.registered}</small>
          </>
        )}
      </Fact>
      <Fact term={consent.asked}>
        {ago(visit, createdAtMs)} <small>{time(visit, createdAtMs)}</small>
      </Fact>
      <Fact term={consent.from}>
        <bdi>{place(visit, request.location, request.ip)}</bdi>
      </Fact>
      <Fact term={consent.here}>
        <bdi>{place(visit, here.location, here.ip)}</bdi>
      </Fact>
    </dl>
  )
}

/** What the client says about itself, set apart and marked as a claim. */
function Claims({ request, visit }: Pick<ConsentProps, 'request' | 'visit'>) {
  const { consent } = visit.texts
  const { name, version, hostname, os } = request.metadata
  const claims: [string, ReadableClaim | undefined][] = [
    [consent.claimedName, readClaim(name)],
    [consent.version, readClaim(version)],
    [consent.hostname, readClaim(hostname)],
    [consent.os, readClaim(os)]
  ]
  const made = claims.filter((entry): entry is [string, ReadableClaim] => entry[1] !== undefined)
  const doubts = new Set(made.flatMap(([, { doubts }]) => doubts))
  return (
    <section class="claims">
      <h2>{consent.claimsIntro}</h2>
      {made.length === 0 && <p>{consent.nothingClaimed}</p>}
      {made.length > 0 && (
        <dl>
          {made.map(([term, { text }]) => (
            <Fact term={term} key={term}>
              <q>
                <bdi>{text}</bdi>
              </q>
            </Fact>
          ))}
        </dl>
      )}
      {doubts.has('hidden') && <p class="doubt">{consent.hidden}</p>}
      {doubts.has('lookalike') && <p class="doubt">{consent.lookalike}</p>}
    </section>
  )
}

function Rights({ client, request, visit }: Pick<ConsentProps, 'client' | 'request' | 'visit'>) {
  const { rights, consent } = visit.texts
  const described: Record<string, string> = { ...rights, act: '' }
  return (
    <section>
      <h2>{consent.rights}</h2>
      <ul>
        <li>{rights.act(visit.serviceName, span(visit, client.authorizationTtlSeconds))}</li>
        {request.scopes.map((scope) => {
          const words =
            Object.hasOwn(described, scope) && scope !== 'act' && scope !== 'other' ? described[scope] : undefined
          return (
            <li key={scope}>
              {words ?? (
                <>
                  {rights.other} <code>{scope}</code>
                </>
              )}
            </li>
          )
        })}
      </ul>
    </section>
  )
}

function Fact({ term, children }: { term: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  )
}
