/** The facts that both questions show: of a device, and of a program on the same device. */
import { type Client, type ClientType, hostOfClient, isKnownByUrl } from '../../../core/clients/client.js'
import type { ReadableClaim } from '../../../core/grants/self-description.js'
import type { Visit } from '../visit.js'
import { Fact } from './fact.js'

/** Who asks, as far as it is known: by the registered name, by the host of its document, or what kind of program it is. */
export function ProgramFact({ visit, client, type }: { visit: Visit; client: Client; type: ClientType }) {
  const { consent, clientTypes } = visit.texts
  const host = hostOfClient(client.id)
  const known = client.name ?? host
  return (
    <Fact term={consent.program}>
      {known === undefined ? (
        clientTypes[type]
      ) : (
        <>
          <bdi>{known}</bdi> <small>{host === undefined ? consent.registered : consent.described}</small>
        </>
      )}
    </Fact>
  )
}

/** Where the document of a client known by a URL is. Not a link: whoever publishes there would learn who looks, and when. */
export function DocumentFact({ visit, clientId }: { visit: Visit; clientId: string }) {
  if (!isKnownByUrl(clientId)) return null
  return (
    <Fact term={visit.texts.consent.describedAt}>
      <code>{clientId}</code>
    </Fact>
  )
}

/** What a program says of itself, marked as unchecked. */
export function ClaimFact({ visit, term, claim }: { visit: Visit; term: string; claim: ReadableClaim }) {
  return (
    <Fact term={term}>
      <q>
        <bdi>{claim.text}</bdi>
      </q>{' '}
      <small>{visit.texts.consent.unchecked}</small>
    </Fact>
  )
}

interface AnswererFactProps {
  visit: Visit
  userName: string
  /** The upstream through which the user has signed in. */
  upstreamName: string | undefined
  /** Where somebody else signs the user out. */
  logoutPath: string
}

/** Whose answer it will be. */
export function AnswererFact({ visit, userName, upstreamName, logoutPath }: AnswererFactProps) {
  const { consent } = visit.texts
  return (
    <Fact term={consent.who}>
      <bdi>{userName}</bdi>
      {upstreamName && ` (${upstreamName})`}{' '}
      <small>
        <a href={visit.base + logoutPath}>{consent.notYou}</a>
      </small>
    </Fact>
  )
}
