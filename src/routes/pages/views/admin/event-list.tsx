/** Events of the audit trail, in the words of the trail, so that what is seen here can be searched for elsewhere. */
import type { AuditEvent } from '../../../../core/audit/event.js'
import { spellOut } from '../../../../core/grants/self-description.js'
import { pathOfUser } from '../../admin/user-path.js'
import { adminTexts } from '../../texts/admin.js'
import type { Visit } from '../../visit.js'
import { Fact } from '../fact.js'
import { moment } from '../format.js'
import { Exactly } from './frame.js'

interface EventListProps {
  visit: Visit
  events: readonly AuditEvent[]
  /** What is said where there are none. */
  none: string
}

export function EventList({ visit, events, none }: EventListProps) {
  if (events.length === 0) return <p>{none}</p>
  return (
    <ul class="cards">
      {events.map((event) => (
        <Event key={event.id} visit={visit} event={event} />
      ))}
    </ul>
  )
}

function Event({ visit, event }: { visit: Visit; event: AuditEvent }) {
  const { events: texts } = adminTexts
  const { type, atMs, userId, actor, clientId, authorizationId, grantId, ip, location, detail } = event
  const from = [location, ip].filter((part) => part !== undefined).join(' · ')
  return (
    <li>
      <div>
        <code>{type}</code> <small>{moment(atMs)}</small>
      </div>
      <dl>
        <Fact term={texts.user}>
          {userId === undefined ? undefined : (
            <a href={`${visit.base}/admin/users/${pathOfUser(userId)}`}>
              <Exactly>{userId}</Exactly>
            </a>
          )}
        </Fact>
        <ExactFact term={texts.by} text={actor} />
        <ExactFact term={texts.client} text={clientId} />
        <ExactFact term={texts.authorization} text={authorizationId} />
        <ExactFact term={texts.grant} text={grantId} />
        <Fact term={texts.from}>{spellOut(from)}</Fact>
        <ExactFact term={texts.detail} text={detail} />
      </dl>
    </li>
  )
}

function ExactFact({ term, text }: { term: string; text: string | undefined }) {
  return <Fact term={term}>{text === undefined ? undefined : <Exactly>{text}</Exactly>}</Fact>
}
