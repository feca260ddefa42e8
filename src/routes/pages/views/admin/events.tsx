/** The audit trail, with the form that says what is wanted of it. */
import { type AuditEvent, EVENT_TYPES } from '../../../../core/audit/event.js'
import type { EventFilter } from '../../../../core/audit/event-store.js'
import { queryOf } from '../../admin/event-query.js'
import { adminTexts } from '../../texts/admin.js'
import type { Visit } from '../../visit.js'
import { Form } from '../layout.js'
import { EventList } from './event-list.js'
import { AdminFrame, Onwards } from './frame.js'

interface AdminEventsProps {
  visit: Visit
  events: readonly AuditEvent[]
  filter: EventFilter
  /** The cursors of this page, if it is not the first one, and of the next, if there is one. */
  cursor: string | undefined
  next: string | undefined
}

export function AdminEvents({ visit, events, filter, cursor, next }: AdminEventsProps) {
  const { events: texts } = adminTexts
  const path = `${visit.base}/admin/events`
  return (
    <AdminFrame visit={visit} title={texts.title} here="events">
      <Form visit={visit} action="/admin/events" class="stack">
        <label>
          <span>{texts.type}</span>
          <select name="type">
            <option value="">{texts.anyType}</option>
            {EVENT_TYPES.map((type) => (
              <option key={type} selected={type === filter.type}>
                {type}
              </option>
            ))}
          </select>
        </label>
        <label>
          <span>{texts.user}</span>
          <input
            name="user"
            value={filter.userId}
            maxLength={255}
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
          />
        </label>
        <button type="submit">{texts.filter}</button>
      </Form>
      {/* A search looks through so much at a time: it may find nothing yet, and go on. */}
      <EventList visit={visit} events={events} none={next === undefined ? texts.none : texts.noneHere} />
      <Onwards
        first={cursor === undefined ? undefined : path + queryOf(filter)}
        next={next === undefined ? undefined : path + queryOf(filter, next)}
      />
    </AdminFrame>
  )
}
