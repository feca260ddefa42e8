/** The folded details of the question: further facts about the request, and everything the client says about itself. */
import type { GrantRequest, Location } from '../../../core/grants/grant.js'
import { type ReadableClaim, readClaim } from '../../../core/grants/self-description.js'
import type { Visit } from '../visit.js'
import { DocumentFact } from './consent-facts.js'
import { Fact } from './fact.js'
import { ago, place, time } from './format.js'

interface DetailsProps {
  visit: Visit
  request: GrantRequest
  createdAtMs: number
  here: { ip: string; location: Location | undefined }
  /** Whether the details start unfolded, which they do beside a warning. */
  isOpen: boolean
}

export function Details(props: DetailsProps) {
  const { visit, request, createdAtMs, here, isOpen } = props
  const { consent } = visit.texts
  return (
    <details class="stack" open={isOpen}>
      <summary>{consent.details}</summary>
      <dl class="facts">
        <Fact term={consent.asked}>
          {ago(visit, createdAtMs)} <small>{time(visit, createdAtMs)}</small>
        </Fact>
        <Fact term={consent.here}>
          <bdi>{place(visit, here.location, here.ip)}</bdi>
        </Fact>
        <DocumentFact visit={visit} clientId={request.clientId} />
      </dl>
      <Claims {...props} />
    </details>
  )
}

export type Claim = [term: string, claim: ReadableClaim]

/** The client's metadata, each with its label. */
export function claimsOf({ metadata }: Pick<GrantRequest, 'metadata'>, visit: Visit): Claim[] {
  const { consent } = visit.texts
  const { name, version, hostname, os } = metadata
  const claims: [string, ReadableClaim | undefined][] = [
    [consent.claimedName, readClaim(name)],
    [consent.version, readClaim(version)],
    [consent.hostname, readClaim(hostname)],
    [consent.os, readClaim(os)]
  ]
  return claims.filter((entry): entry is Claim => entry[1] !== undefined)
}

/** The unverified metadata, marked as such. */
function Claims({ request, visit }: Pick<DetailsProps, 'request' | 'visit'>) {
  const { consent } = visit.texts
  const made = claimsOf(request, visit)
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
      <Doubts visit={visit} claims={made} />
    </section>
  )
}

/** Why the claims might mislead, a sentence for each reason. */
export function Doubts({ visit, claims }: { visit: Visit; claims: readonly Claim[] }) {
  const { consent } = visit.texts
  const doubts = new Set(claims.flatMap(([, { doubts }]) => doubts))
  return (
    <>
      {doubts.has('hidden') && <p class="doubt">{consent.hidden}</p>}
      {doubts.has('lookalike') && <p class="doubt">{consent.lookalike}</p>}
    </>
  )
}
