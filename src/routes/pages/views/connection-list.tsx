import type { Connection } from '../../../core/connections/connection.js'
import { readClaim } from '../../../core/grants/self-description.js'
import type { Upstream } from '../../../core/upstream/upstream.js'
import type { Texts } from '../texts/en.js'
import type { Visit } from '../visit.js'
import { time } from './format.js'
import { Form, Layout, Notice } from './layout.js'

export type ConnectionsDone = keyof Texts['connections']['done']
const WENT_WELL: readonly ConnectionsDone[] = ['connected', 'disconnected', 'disconnected-here']

interface ConnectionListProps {
  visit: Visit
  accounts: readonly Connection[]
  providers: readonly Upstream[]
  done: ConnectionsDone | undefined
}

export function ConnectionList({ visit, accounts, providers, done }: ConnectionListProps) {
  const { connections: texts } = visit.texts
  const nameOf = (id: string) => providers.find((provider) => provider.id === id)?.name ?? id
  return (
    <Layout visit={visit} title={texts.title} here="connections">
      {done && <Notice kind={WENT_WELL.includes(done) ? 'done' : 'problem'}>{texts.done[done]}</Notice>}
      <p>{texts.intro}</p>
      {accounts.length === 0 && <p>{texts.none}</p>}
      {accounts.length > 0 && (
        <ul class="cards">
          {accounts.map((account) => (
            <Account key={account.id} visit={visit} account={account} providerName={nameOf(account.upstreamId)} />
          ))}
        </ul>
      )}
      <section>
        <h2>{texts.addTitle}</h2>
        {providers.length === 0 && <p>{texts.noProviders}</p>}
        <ul class="providers">
          {providers.map(({ id, name }) => (
            <li key={id}>
              <a class="button" href={`${visit.base}/account/connections/${id}/connect`}>
                {texts.connect(name)}
              </a>
            </li>
          ))}
        </ul>
      </section>
    </Layout>
  )
}

interface AccountProps {
  visit: Visit
  account: Connection
  providerName: string
}

function Account({ visit, account, providerName }: AccountProps) {
  const { connections: texts } = visit.texts
  const username = readClaim(account.username)?.text ?? account.subject
  return (
    <li>
      <h2>
        {providerName}: <bdi>{username}</bdi>{' '}
        <small class={`badge ${account.status === 'connected' ? '' : 'alarm'}`}>{texts.status[account.status]}</small>
      </h2>
      <dl>
        <div>
          <dt>{texts.since}</dt>
          <dd>{time(visit, account.connectedAtMs)}</dd>
        </div>
        <div>
          <dt>{texts.scopes}</dt>
          <dd>
            {account.scopes.length === 0 && texts.noScopes}
            {account.scopes.map((scope) => (
              <>
                <code key={scope}>{scope}</code>{' '}
              </>
            ))}
          </dd>
        </div>
      </dl>
      <div class="actions">
        {account.status === 'needs_reconnect' && (
          <a class="button" href={`${visit.base}/account/connections/${account.upstreamId}/connect`}>
            {texts.reconnect(providerName)}
          </a>
        )}
        <Form visit={visit} action={`/account/connections/${account.id}/disconnect`}>
          <button type="submit" class="danger" aria-label={texts.disconnectNamed(`${providerName} ${username}`)}>
            {texts.disconnect}
          </button>
        </Form>
      </div>
    </li>
  )
}
