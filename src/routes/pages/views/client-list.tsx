import type { Authorization } from '../../../core/authorizations/authorization.js'
import { readClaim } from '../../../core/grants/self-description.js'
import type { Texts } from '../texts/en.js'
import type { Visit } from '../visit.js'
import { ago, time } from './format.js'
import { Form, Layout, Notice } from './layout.js'

export type ClientsDone = keyof Texts['clients']['done']

interface ClientListProps {
  visit: Visit
  clients: readonly Authorization[]
  /** The one that was approved in this browser last. */
  approvedHereId: string | undefined
  done: ClientsDone | undefined
}

export function ClientList({ visit, clients, approvedHereId, done }: ClientListProps) {
  const { clients: texts } = visit.texts
  const active = clients.filter((client) => !hasEnded(client, visit))
  const ended = clients.filter((client) => hasEnded(client, visit))
  return (
    <Layout visit={visit} title={texts.title} here="clients">
      {done && <Notice kind="done">{texts.done[done]}</Notice>}
      <p>{texts.intro}</p>
      {clients.length === 0 && <p>{texts.none}</p>}
      {active.length > 0 && (
        <section>
          <h2>{texts.active}</h2>
          <ul class="cards">
            {active.map((client) => (
              <ActiveClient
                key={client.id}
                visit={visit}
                client={client}
                isApprovedHere={client.id === approvedHereId}
              />
            ))}
          </ul>
          <details>
            <summary>{texts.revokeAll}</summary>
            <Form visit={visit} action="/account/clients/revoke-all" class="stack">
              <p>{texts.revokeAllIntro(active.length)}</p>
              <button type="submit" class="danger">
                {texts.revokeAllConfirm}
              </button>
            </Form>
          </details>
        </section>
      )}
      {ended.length > 0 && (
        <section>
          <h2>{texts.ended}</h2>
          <ul class="cards ended">
            {ended.map((client) => (
              <li key={client.id}>
                <h3>
                  <bdi>{nameOf(client, texts.unnamed)}</bdi>
                </h3>
                <Details visit={visit} client={client} />
              </li>
            ))}
          </ul>
        </section>
      )}
    </Layout>
  )
}

function ActiveClient(props: { visit: Visit; client: Authorization; isApprovedHere: boolean }) {
  const { visit, client, isApprovedHere } = props
  const { clients: texts } = visit.texts
  const name = nameOf(client, texts.unnamed)
  return (
    <li>
      <h3>
        <bdi>{name}</bdi> {isApprovedHere && <small class="badge">{texts.approvedHere}</small>}
      </h3>
      <Details visit={visit} client={client} />
      <div class="actions">
        <Form visit={visit} action={`/account/clients/${client.id}/rename`} class="inline">
          <label>
            <span>{texts.label}</span>
            <input name="label" value={client.label ?? ''} maxLength={255} autocomplete="off" />
          </label>
          <button type="submit" aria-label={texts.renameNamed(name)}>
            {texts.rename}
          </button>
        </Form>
        <Form visit={visit} action={`/account/clients/${client.id}/revoke`}>
          <button type="submit" class="danger" aria-label={texts.revokeNamed(name)}>
            {texts.revoke}
          </button>
        </Form>
      </div>
    </li>
  )
}

function Details({ visit, client }: { visit: Visit; client: Authorization }) {
  const { clients: texts, clientTypes } = visit.texts
  const version = readClaim(client.version)?.text
  return (
    <dl>
      <Detail term={texts.kind}>{clientTypes[client.clientType]}</Detail>
      {version !== undefined && (
        <Detail term={texts.version}>
          <bdi>{version}</bdi>
        </Detail>
      )}
      <Detail term={texts.approvedOn}>
        {time(visit, client.createdAtMs)} <small>{`${texts.approvedFrom} ${client.ipAtGrant}`}</small>
      </Detail>
      <Detail term={texts.lastUsed}>
        {client.lastUsedAtMs === undefined ? texts.neverUsed : ago(visit, client.lastUsedAtMs)}
      </Detail>
      <Detail
        term={
          client.revokedAtMs !== undefined ? texts.revokedOn : hasEnded(client, visit) ? texts.expiredOn : texts.expires
        }
      >
        {time(visit, client.revokedAtMs ?? client.expiresAtMs)}
      </Detail>
    </dl>
  )
}

function Detail({ term, children }: { term: string; children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  )
}

function hasEnded({ revokedAtMs, expiresAtMs }: Authorization, { nowMs }: Visit): boolean {
  return revokedAtMs !== undefined || expiresAtMs <= nowMs
}

/** The owner's own name for it comes first. */
function nameOf({ label, name }: Authorization, fallback: string): string {
  const [own, claimed] = [readClaim(label)?.text, readClaim(name)?.text]
  if (own !== undefined && claimed !== undefined && own !== claimed) return `${claimed} (${own})`
  return own ?? claimed ?? fallback
}
