/** Who a user is: the facts by which an admin tells them from another one. */
import type { Person } from '../../../../core/directory/directory.js'
import { readClaim, spellOut } from '../../../../core/grants/self-description.js'
import type { Upstream } from '../../../../core/upstream/upstream.js'
import { adminTexts } from '../../texts/admin.js'
import type { Visit } from '../../visit.js'
import { Fact } from '../fact.js'
import { time } from '../format.js'
import { Exactly } from './frame.js'

interface WhoProps {
  visit: Visit
  person: Person
  upstreams?: readonly Upstream[]
  /** Whether the identities are told as well. */
  isWhole?: boolean
}

export function Who({ visit, person, upstreams = [], isWhole = false }: WhoProps) {
  const { user: texts } = adminTexts
  const { userId, name, email, isEmailVerified, identities, blockedAtMs } = person
  return (
    <dl>
      <Fact term={texts.name}>{name === undefined ? undefined : <bdi>{readClaim(name)?.text}</bdi>}</Fact>
      <Fact term={texts.email}>
        {email === undefined ? undefined : (
          <>
            <Exactly>{email}</Exactly> <small>{isEmailVerified ? texts.verified : texts.unverified}</small>
          </>
        )}
      </Fact>
      <Fact term={texts.id}>
        <Exactly>{userId}</Exactly>
      </Fact>
      {isWhole &&
        identities.map(({ upstreamId, subject }) => (
          <Fact key={`${upstreamId} ${subject}`} term={texts.identities}>
            {upstreamName(upstreams, upstreamId)}: <Exactly>{subject}</Exactly>
          </Fact>
        ))}
      <Fact term={texts.blocked}>
        {blockedAtMs === undefined ? undefined : <span class="doubt">{time(visit, blockedAtMs)}</span>}
      </Fact>
    </dl>
  )
}

/** The name of an upstream; its id for one that is not configured any more. */
export function upstreamName(upstreams: readonly Upstream[], upstreamId: string): string {
  return upstreams.find(({ id }) => id === upstreamId)?.name ?? spellOut(upstreamId)
}
