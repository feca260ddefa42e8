/** A user, as admins see them. */
import type { AuditEvent } from '../../../../core/audit/event.js'
import type { Authorization } from '../../../../core/authorizations/authorization.js'
import type { Connection } from '../../../../core/connections/connection.js'
import type { Person } from '../../../../core/directory/directory.js'
import type { Upstream } from '../../../../core/upstream/upstream.js'
import { queryOf } from '../../admin/event-query.js'
import { pathOfUser } from '../../admin/user-path.js'
import { type AdminDone, adminTexts } from '../../texts/admin.js'
import type { Visit } from '../../visit.js'
import { Form, Notice } from '../layout.js'
import { EventList } from './event-list.js'
import { AdminFrame, Onwards } from './frame.js'
import { AuthorizationsOfUser, ConnectionsOfUser } from './held-by-user.js'
import { Who } from './who.js'

export interface AdminUserProps {
  visit: Visit
  person: Person
  upstreams: readonly Upstream[]
  /** Those of one page of the list, with the cursors of this page and the next. */
  authorizations: readonly Authorization[]
  cursor: string | undefined
  next: string | undefined
  connections: readonly Connection[]
  events: readonly AuditEvent[]
  /** Whether the admin looks at themselves. */
  isSelf: boolean
  done: AdminDone | undefined
}

export function AdminUser(props: AdminUserProps) {
  const { visit, person, upstreams, authorizations, cursor, next, connections, events, isSelf, done } = props
  const { user: texts } = adminTexts
  const path = `/admin/users/${pathOfUser(person.userId)}`
  const pageOf = (cursor: string) => `?${new URLSearchParams({ cursor })}`
  return (
    <AdminFrame visit={visit} title={texts.title}>
      {done && <Notice kind={done === 'self' ? 'problem' : 'done'}>{adminTexts.done[done]}</Notice>}
      <Who visit={visit} person={person} upstreams={upstreams} isWhole />
      {isSelf && <p>{texts.self}</p>}
      <Measures visit={visit} person={person} path={path} isSelf={isSelf} />
      <section>
        <h2>{texts.authorizations}</h2>
        <p>
          {authorizations.length === 0
            ? texts.noAuthorizations
            : texts.active(person.counts.active, person.counts.awaitingCollection)}
        </p>
        <AuthorizationsOfUser
          visit={visit}
          authorizations={authorizations}
          path={path}
          query={cursor === undefined ? '' : pageOf(cursor)}
        />
        <Onwards
          first={cursor === undefined ? undefined : visit.base + path}
          next={next === undefined ? undefined : visit.base + path + pageOf(next)}
        />
      </section>
      <section>
        <h2>{texts.connections}</h2>
        {connections.length === 0 && <p>{texts.noConnections}</p>}
        <ConnectionsOfUser visit={visit} connections={connections} upstreams={upstreams} />
      </section>
      <section>
        <h2>{texts.events}</h2>
        <EventList visit={visit} events={events} none={adminTexts.events.none} />
        <p>
          <a href={`${visit.base}/admin/events${queryOf({ userId: person.userId })}`}>{texts.allEvents}</a>
        </p>
      </section>
    </AdminFrame>
  )
}

type MeasuresProps = Pick<AdminUserProps, 'visit' | 'person' | 'isSelf'> & { path: string }

/** What cannot be taken back leads to a question first. */
function Measures({ visit, person, path, isSelf }: MeasuresProps) {
  const { user: texts } = adminTexts
  return (
    <section>
      <h2>{texts.measures}</h2>
      <div class="actions">
        <a class="button danger" href={`${visit.base}${path}/revoke-all`}>
          {texts.revokeAll}
        </a>
        {person.blockedAtMs === undefined && !isSelf && (
          <a class="button danger" href={`${visit.base}${path}/block`}>
            {texts.block}
          </a>
        )}
        {person.blockedAtMs !== undefined && (
          <Form visit={visit} action={`${path}/unblock`}>
            <button type="submit">{texts.unblock}</button>
          </Form>
        )}
      </div>
    </section>
  )
}
