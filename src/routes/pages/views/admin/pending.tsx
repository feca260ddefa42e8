/** The grants that wait for their decision: how many of each client, and one by one. Nothing of a code is shown. */
import type { WaitingGrant, WaitingOfClient } from '../../../../core/grants/pending-list.js'
import { readClaim } from '../../../../core/grants/self-description.js'
import { adminTexts } from '../../texts/admin.js'
import type { Visit } from '../../visit.js'
import { Fact } from '../fact.js'
import { ago, place, time } from '../format.js'
import { AdminFrame, Exactly, Onwards } from './frame.js'

interface AdminPendingProps {
  visit: Visit
  clients: readonly WaitingOfClient[]
  /** Those of one page of the list, with the cursors of this page and the next. */
  waiting: readonly WaitingGrant[]
  cursor: string | undefined
  next: string | undefined
}

export function AdminPending({ visit, clients, waiting, cursor, next }: AdminPendingProps) {
  const { pending: texts } = adminTexts
  const path = `${visit.base}/admin/grants`
  return (
    <AdminFrame visit={visit} title={texts.title} here="pending">
      <p>{texts.intro}</p>
      {clients.length === 0 && <p>{texts.none}</p>}
      {clients.length > 0 && (
        <section>
          <h2>{texts.byClient}</h2>
          <ul class="cards">
            {clients.map(({ clientId, count, oldestStartedAtMs }) => (
              <li key={clientId}>
                <Exactly>{clientId}</Exactly>
                <dl>
                  <Fact term={texts.count}>{count}</Fact>
                  <Fact term={texts.oldest}>{ago(visit, oldestStartedAtMs)}</Fact>
                </dl>
              </li>
            ))}
          </ul>
        </section>
      )}
      {(clients.length > 0 || cursor !== undefined) && (
        <section>
          <h2>{texts.each}</h2>
          {waiting.length === 0 && <p>{texts.nothingHere}</p>}
          <ul class="cards">
            {waiting.map((grant) => (
              <Waiting key={grant.grantId} visit={visit} grant={grant} />
            ))}
          </ul>
          <Onwards
            first={cursor === undefined ? undefined : path}
            next={next === undefined ? undefined : `${path}?${new URLSearchParams({ cursor: next })}`}
          />
        </section>
      )}
    </AdminFrame>
  )
}

function Waiting({ visit, grant }: { visit: Visit; grant: WaitingGrant }) {
  const { pending: texts } = adminTexts
  const { grantId, request, startedAtMs, expiresAtMs } = grant
  const { clientId, metadata, location, ip } = request
  const says = readClaim(metadata.name)?.text
  return (
    <li>
      <Exactly>{clientId}</Exactly>
      <dl>
        <Fact term={texts.says}>
          {says === undefined ? undefined : (
            <q>
              <bdi>{says}</bdi>
            </q>
          )}
        </Fact>
        <Fact term={texts.from}>{place(visit, location, ip)}</Fact>
        <Fact term={texts.started}>{time(visit, startedAtMs)}</Fact>
        <Fact term={texts.ends}>{time(visit, expiresAtMs)}</Fact>
        <Fact term={texts.grant}>
          <Exactly>{grantId}</Exactly>
        </Fact>
      </dl>
    </li>
  )
}
