import { type Client, hostOfClient } from '../../../core/clients/client.js'
import { whereTo } from '../../../core/clients/redirect-uri.js'
import type { Resource } from '../../../core/clients/resource.js'
import type { Ask } from '../ask.js'
import type { Visit } from '../visit.js'
import { type Claim, claimsOf, Doubts } from './consent-details.js'
import { AnswererFact, ClaimFact, DocumentFact, ProgramFact } from './consent-facts.js'
import { Optional, Rights } from './consent-rights.js'
import { Fact } from './fact.js'
import { Form, Layout, Notice } from './layout.js'

interface AskPageProps {
  visit: Visit
  ask: Ask
  client: Client
  /** The resources that are asked for and still there. */
  resources: readonly Resource[]
  /** The scopes that the user may leave out, and those of them that they have left out so far. */
  optional: readonly string[]
  leftOut: readonly string[]
  /** What the rules of the operator say of it. */
  warnings: readonly string[]
  /** The sealed ticket (consent-ticket.ts). */
  ticket: string
  userName: string
  /** The upstream through which the user has signed in. */
  upstreamName: string | undefined
  problem?: string
}

/**
 * The question of a program on the same device: there is no code to compare. What the program says of itself is marked as such. As on
 * the other question the deny button comes first, so that the Enter key denies, and no element has an id.
 */
export function AskPage(props: AskPageProps) {
  const { visit, ask, client, problem, warnings } = props
  const { asking, consent, clientTypes } = visit.texts
  const name = client.name ?? hostOfClient(client.id) ?? clientTypes[client.type]
  const claims = claimsOf(ask, visit)
  const isDoubtful = claims.some(([, { doubts }]) => doubts.length > 0)
  const isStrong = isDoubtful || warnings.length > 0
  return (
    <Layout visit={visit} title={asking.title} isAlone>
      {problem && <Notice kind="problem">{problem}</Notice>}
      <Summary {...props} claims={claims} />
      <section class={`warning ${isStrong ? 'strong' : ''}`}>
        <h2>{isStrong ? consent.warning.strongTitle : consent.warning.title}</h2>
        {warnings.map((warning) => (
          <p key={warning}>
            <bdi>{warning}</bdi>
          </p>
        ))}
        {isDoubtful && <p>{consent.claimsIntro}</p>}
        <Doubts visit={visit} claims={claims} />
        <p>{asking.warning}</p>
      </section>
      <Form visit={visit} action={`/authorize/${ask.id}`} class="stack decision">
        <input type="hidden" name="ticket" value={props.ticket} />
        {props.optional.length > 0 && <Optional {...props} request={ask} />}
        <label class="check">
          <input type="checkbox" name="sure" value="yes" required />
          <span>{asking.sure}</span>
        </label>
        <div class="choice">
          <button type="submit" name="action" value="deny" formNoValidate>
            {consent.deny}
          </button>
          <button type="submit" name="action" value="approve">
            <bdi>{consent.approve(name)}</bdi>
          </button>
        </div>
      </Form>
    </Layout>
  )
}

function Summary(props: AskPageProps & { claims: readonly Claim[] }) {
  const { visit, ask, client, claims, userName, upstreamName } = props
  const { asking, consent } = visit.texts
  return (
    <dl class="facts">
      <ProgramFact visit={visit} client={client} type={client.type} />
      <DocumentFact visit={visit} clientId={client.id} />
      {claims.map(([term, claim]) => (
        <ClaimFact visit={visit} term={term} claim={claim} key={term} />
      ))}
      <Fact term={asking.to}>
        <bdi>{placeOf(ask.redirectUri, visit)}</bdi>
      </Fact>
      <Fact term={consent.rights}>
        <Rights {...props} request={ask} />
      </Fact>
      <AnswererFact
        visit={visit}
        userName={userName}
        upstreamName={upstreamName}
        logoutPath={`/logout?ask=${ask.id}`}
      />
    </dl>
  )
}

/** Where the answer goes, in words. */
export function placeOf(redirectUri: string, { texts: { asking } }: Visit): string {
  const { kind, name } = whereTo(redirectUri)
  if (kind === 'web') return name
  return kind === 'loopback' ? asking.toThisComputer(name) : asking.toProgram(name)
}
