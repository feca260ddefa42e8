import { type Client, hostOfClient } from '../../../core/clients/client.js'
import type { Resource } from '../../../core/clients/resource.js'
import { countriesDiffer, type GrantRequest, type Location } from '../../../core/grants/grant.js'
import { readClaim } from '../../../core/grants/self-description.js'
import type { Visit } from '../visit.js'
import { claimsOf, Details } from './consent-details.js'
import { AnswererFact, ClaimFact, ProgramFact } from './consent-facts.js'
import { Optional, Rights } from './consent-rights.js'
import { Fact } from './fact.js'
import { country, place } from './format.js'
import { Form, Layout, Notice } from './layout.js'

export interface ConsentProps {
  visit: Visit
  request: GrantRequest
  createdAtMs: number
  client: Client
  /** The resources that are asked for and still there. */
  resources: readonly Resource[]
  /** The scopes that the user may leave out, and those of them that they have left out so far. */
  optional: readonly string[]
  leftOut: readonly string[]
  /** What the rules of the operator say of it. */
  warnings: readonly string[]
  /** In the form XXXX-XXXX. */
  userCode: string
  linked: boolean
  /** The location of the user who looks at the page. */
  here: { ip: string; location: Location | undefined }
  /** The sealed ticket (consent-ticket.ts). */
  ticket: string
  userName: string
  /** The upstream through which the user has signed in. */
  upstreamName: string | undefined
  problem?: string
}

/**
 * The question (RFC 8628 §3.3, §5.4; RFC 10027): a summary first, then the details. Verified facts are kept apart from the
 * client's claims about itself. The deny button comes first, so that the Enter key denies, and no element has an id, so that no
 * link can focus one.
 */
export function Consent(props: ConsentProps) {
  const { visit, client, request, userCode, problem } = props
  const { consent } = visit.texts
  const alarms = alarmsOf(props)
  return (
    <Layout visit={visit} title={consent.title} isAlone>
      {problem && <Notice kind="problem">{problem}</Notice>}
      {alarms.length > 0 && <Warning {...props} alarms={alarms} />}
      <section class="compare">
        <h2>{consent.compare}</h2>
        <p class="code">{userCode}</p>
        <p>{consent.ifNot}</p>
      </section>
      <Summary {...props} />
      <Details {...props} isOpen={alarms.length > 0} />
      {alarms.length === 0 && <Warning {...props} alarms={alarms} />}
      <Form visit={visit} action="/device/confirm" class="stack decision">
        <input type="hidden" name="ticket" value={props.ticket} />
        {props.optional.length > 0 && <Optional {...props} />}
        <label class="check">
          <input type="checkbox" name="same" value="yes" required />
          <span>{withCodeWhole(consent.same(userCode), userCode)}</span>
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

/** A sentence in which the code is not broken at its hyphen. */
function withCodeWhole(sentence: string, userCode: string) {
  const [before, after] = sentence.split(userCode)
  return (
    <>
      {before}
      <span class="whole">{userCode}</span>
      {after}
    </>
  )
}

/**
 * The client's name: the registered one, or the host of a client known by a URL, otherwise its own in quotation marks, or its type
 * if that name is suspicious.
 */
export function nameOf(client: Client, request: Pick<GrantRequest, 'clientType' | 'metadata'>, visit: Visit): string {
  const known = client.name ?? hostOfClient(client.id)
  if (known !== undefined) return known
  const claimed = readClaim(request.metadata.name)
  const isPlain = claimed !== undefined && claimed.doubts.length === 0
  return isPlain ? visit.texts.consent.quoted(claimed.text) : visit.texts.clientTypes[request.clientType]
}

/** The signs of a deception. A followed link is none, because most clients offer one. */
function alarmsOf({ visit, request, here, warnings }: ConsentProps): string[] {
  const { warning } = visit.texts.consent
  const alarms = [...warnings]
  if (countriesDiffer(request.location, here.location)) {
    const [from, to] = [request.location, here.location].map((location) => country(visit, location?.country ?? ''))
    alarms.push(warning.countries(from ?? '', to ?? ''))
  }
  if (claimsOf(request, visit).some(([, { doubts }]) => doubts.length > 0)) alarms.push(warning.imitation)
  return alarms
}

/** A warning if there are signs of a deception, otherwise a calm note. */
function Warning({ visit, linked, alarms }: ConsentProps & { alarms: readonly string[] }) {
  const { warning } = visit.texts.consent
  const isStrong = alarms.length > 0
  return (
    <section class={`warning ${isStrong ? 'strong' : ''}`}>
      <h2>{isStrong ? warning.strongTitle : warning.title}</h2>
      {alarms.map((alarm) => (
        <p key={alarm}>
          <bdi>{alarm}</bdi>
        </p>
      ))}
      {linked && <p>{warning.linked}</p>}
      <p>{warning.base}</p>
    </section>
  )
}

/** The summary: client, location, scopes and account, in a line each. */
function Summary(props: ConsentProps) {
  const { visit, request, client, userName, upstreamName } = props
  const { consent } = visit.texts
  const name = readClaim(request.metadata.name)
  return (
    <dl class="facts">
      <ProgramFact visit={visit} client={client} type={request.clientType} />
      {name !== undefined && <ClaimFact visit={visit} term={consent.claimedName} claim={name} />}
      <Fact term={consent.from}>
        <bdi>{place(visit, request.location, request.ip)}</bdi>
      </Fact>
      <Fact term={consent.rights}>
        <Rights {...props} />
      </Fact>
      <AnswererFact visit={visit} userName={userName} upstreamName={upstreamName} logoutPath="/logout" />
    </dl>
  )
}
