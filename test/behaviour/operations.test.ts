/**
 * Checks what an operator does to a running service (stopping it, rotating its keys, starting it with a wrong
 * configuration), that alerts, dashboard and runbook name only existing metrics and labels and fit each other, and that
 * the manifests fit the types of Kubernetes, each other, and the service.
 */

import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { Agent, request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { parse } from 'yaml'
import { EnvironmentSchema } from '../../schemas/config.js'
import { openapiDocument } from '../../schemas/generated/openapi.js'
import { buildApp } from '../../src/app.js'
import { loadConfig } from '../../src/config/load-config.js'
import { LONGEST_WAIT_SECONDS } from '../../src/core/grants/held-polls.js'
import { GRANTD_SECRET, PATIENT, startApp } from '../support/app.js'
import { apiClient } from '../support/client.js'
import {
  MANIFESTS,
  type Manifest,
  manifestFiles,
  readManifests,
  typeFaults,
  withEnvironment
} from '../support/manifests.js'
import { runProgram as run } from '../support/programs.js'
import { startRedis } from '../support/redis-server.js'
import { inRoot } from '../support/root.js'
import { startService } from '../support/service.js'
import { DASHBOARD_SECRET } from '../support/tokens.js'
import { until } from '../support/until.js'

// Tests that are not about time run side by side, because they mostly wait.
t.jobs = 3

t.test(
  'SIGTERM: readiness turns red first, what is under way finishes, then the process ends',
  { buffered: true },
  async (t) => {
    const redis = await startRedis()
    t.teardown(() => redis.stop())
    const service = await startService(t, {
      ...PATIENT,
      REDIS_URL: redis.url,
      // All requests until the port is closed have to fit in, on a busy machine too.
      SHUTDOWN_DELAY_SECONDS: '8',
      SIGNING_ALG: 'EdDSA'
    })
    const api = apiClient(service.url)
    const { grant_code } = await api.start()
    t.equal((await api.call('GET', '/readyz')).status, 200)

    // An idle kept-alive connection must not keep the process alive.
    const agent = new Agent({ keepAlive: true })
    t.teardown(() => agent.destroy())
    await new Promise((resolve, reject) => {
      httpRequest(`${service.url}/healthz`, { agent }, (answer) => answer.resume().on('end', resolve))
        .on('error', reject)
        .end()
    })
    // Nor may a connection that was opened ahead of need and never used.
    const unused = connect(service.port, '127.0.0.1')
    t.teardown(() => unused.destroy())
    await once(unused, 'connect')
    const hungUp = once(unused, 'close')

    const stopped = service.stop('SIGTERM')
    await until(async () => service.output().includes('"stopping"'))
    t.equal((await api.call('GET', '/readyz')).status, 503, 'not ready at once')
    const meanwhile = await api.poll(grant_code)
    t.equal(meanwhile.status, 200, 'what still arrives is served')
    t.equal(meanwhile.headers.get('connection'), 'close', 'and told to connect elsewhere')

    // Redis is stopped, so that the answer comes only after the port is closed.
    process.kill(redis.pid(), 'SIGSTOP')
    let isUnderWay = true
    const underWay = api.poll(grant_code).finally(() => {
      isUnderWay = false
    })
    await until(async () => !(await isOpen(service.port)))
    t.ok(isUnderWay, 'it waits while the port is closed')
    process.kill(redis.pid(), 'SIGCONT')
    t.equal((await underWay).status, 200, 'a request under way is answered')
    t.equal(await stopped, 0, 'the process ends by itself, with success: whoever is cut off ends with another code')
    await hungUp
    await t.rejects(api.call('GET', '/healthz'), 'nothing listens any more')
    const lines = service.output().trim().split('\n')
    t.match(lines.at(-1), /"stopped"/)
  }
)

/** Returns whether something listens on the port. */
function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

t.test(
  'keys are rotated by command: published first, the old one kept, both accepted by every instance',
  { buffered: true },
  async (t) => {
    const redis = await startRedis()
    t.teardown(() => redis.stop())
    const env = { ...PATIENT, REDIS_URL: redis.url, GRANTD_SECRET, DASHBOARD_JWT_SECRET: DASHBOARD_SECRET }
    const before = await startService(t, env)
    const old = apiClient(before.url)
    const collect = async (api: typeof old) => {
      const { grant_code, user_code } = await api.start()
      await api.decide(user_code, 'alice')
      return (await api.poll(grant_code)).body.jwt as string
    }
    const kidOf = (jwt: string) =>
      JSON.parse(Buffer.from(jwt.split('.')[0] ?? '', 'base64url').toString()).kid as string
    const oldToken = await collect(old)

    const planned = await run('cli.js', ['keys', 'rotate'], env)
    t.equal(planned.code, 0, planned.stderr)
    t.match(planned.stdout, new RegExp(`${kidOf(oldToken)}  RS256  signs`))
    t.match(planned.stdout, /RS256 {2}will sign/)

    const now = await run('cli.js', ['keys', 'rotate', '--now'], env)
    t.equal(now.code, 0, now.stderr)
    t.equal(now.stdout.trim().split('\n').length, 3)
    t.match(now.stdout, new RegExp(`${kidOf(oldToken)}  RS256  only verifies`))

    const fresh = apiClient((await startService(t, env)).url)
    const newToken = await collect(fresh)
    t.not(kidOf(newToken), kidOf(oldToken), 'the new key signs')
    t.equal((await fresh.call('GET', '/auth/clients', { token: oldToken })).status, 200, 'old tokens stay good')
    let learnt = await old.call('GET', '/auth/clients', { token: newToken })
    // An instance fetches unknown keys at most once in five seconds.
    while (learnt.status !== 200) {
      await sleep(200)
      learnt = await old.call('GET', '/auth/clients', { token: newToken })
    }
    t.pass('older instances learn of it')
    const kids = (await fresh.call('GET', '/.well-known/jwks.json')).body.keys.map((key: { kid: string }) => key.kid)
    t.ok(kids.includes(kidOf(oldToken)) && kids.includes(kidOf(newToken)), 'both are published')
  }
)

t.test('commands that cannot be carried out say why', { buffered: true }, async (t) => {
  const env = { REDIS_URL: 'redis://127.0.0.1:1', GRANTD_SECRET, DASHBOARD_JWT_SECRET: DASHBOARD_SECRET }
  const unreachable = run('cli.js', ['keys', 'list'], env)
  t.match(await run('cli.js', [], {}), { code: 2, stderr: /usage: grantd serve [\s\S]+ grantd keys list/ })
  t.match(await run('cli.js', ['keys', 'rotate'], {}), { code: 1, stderr: /set REDIS_URL/ })
  t.match(await unreachable, { code: 1, stderr: /grantd: / })
})

t.test(
  'a secret for an OAuth client is made by command, and its digest makes the client known',
  { buffered: true },
  async (t) => {
    const made = await run('cli.js', ['clients', 'secret'], {})
    t.equal(made.code, 0)
    const [, secret = ''] = /^client_secret +([\w-]{43})$/m.exec(made.stdout) ?? []
    const [, digests = ''] = /^client_secret_digests +(\[.*\])$/m.exec(made.stdout) ?? []
    t.not((await run('cli.js', ['clients', 'secret'], {})).stdout, made.stdout, 'another one each time')

    const file = join(t.testdir({}), 'clients.json')
    const client = { client_id: 'acme-api', client_secret_digests: JSON.parse(digests), grant_types: [] }
    await writeFile(file, JSON.stringify({ clients: [client] }))
    const service = await startService(t, { OAUTH_CLIENTS_FILE: file, SIGNING_ALG: 'EdDSA' })
    const introspect = (client_secret: string) =>
      apiClient(service.url).call('POST', '/oauth/introspect', {
        body: { client_id: 'acme-api', client_secret, token: 'x' }
      })
    t.strictSame((await introspect(secret)).body, { active: false })
    t.equal((await introspect(`${secret}x`)).status, 401)

    await writeFile(file, JSON.stringify({ clients: [{ ...client, grant_types: ['implicit'], scope: '"' }] }))
    const refused = await run('server.js', [], { OAUTH_CLIENTS_FILE: file })
    t.equal(refused.code, 1)
    for (const place of ['clients\\[0\\].grant_types', 'clients\\[0\\].scope']) {
      t.match(refused.stderr, new RegExp(`OAUTH_CLIENTS_FILE: ${place}.*: expected`))
    }
  }
)

t.test('a start that cannot succeed ends with the reason and a code', { buffered: true }, async (t) => {
  const wrong = await run('server.js', [], { PORT: 'x', REDIS_URL: 'redis://127.0.0.1:1', TRUST_PROXY: '0.0.0.0/0' })
  t.equal(wrong.code, 1)
  for (const name of ['PORT', 'TRUST_PROXY', 'GRANTD_SECRET', 'DASHBOARD_JWT_SECRET'])
    t.match(wrong.stderr, new RegExp(`${name}: `))

  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const secrets = { GRANTD_SECRET, DASHBOARD_JWT_SECRET: DASHBOARD_SECRET }
  const env = { ...PATIENT, REDIS_URL: redis.url, SIGNING_ALG: 'EdDSA', ...secrets }
  const service = await startService(t, env)
  const other = await run('server.js', [], { ...env, GRANTD_SECRET: 'x'.repeat(40), PORT: '0' })
  t.equal(other.code, 1, 'keys that cannot be opened')
  t.match(other.stdout, /signing key [\w-]+ cannot be opened with GRANTD_SECRET/)
  const taken = await run('server.js', [], { ...env, PORT: `${service.port}` })
  t.equal(taken.code, 1, 'a port that is taken')
  t.match(taken.stdout, /EADDRINUSE/)
})

t.test('without REDIS_URL the log says in one line that this is for trying out', { buffered: true }, async (t) => {
  const service = await startService(t, { DASHBOARD_JWT_SECRET: '', GRANTD_SECRET: '' })
  // The line is logged after the port is open, so the first answer may come before it.
  await until(async () => service.output().includes('for trying out'))
  const lines = service
    .output()
    .split('\n')
    .filter((line) => line.includes('for trying out'))
  t.equal(lines.length, 1)
  t.match(lines[0], /GRANTD_SECRET and DASHBOARD_JWT_SECRET made up/)
})

const textOf = (name: string) => readFileSync(inRoot(name), 'utf8')

interface Rule {
  alert: string
  expr: string
  labels: Record<string, string>
  annotations: Record<string, string>
}

const rules: Rule[] = parse(textOf('deploy/prometheus/alerts.yaml')).groups.flatMap(
  ({ rules }: { rules: Rule[] }) => rules
)
const dashboard = JSON.parse(textOf('deploy/grafana/grantd.json'))
// biome-ignore lint/suspicious/noExplicitAny: panels of every kind
const panels: any[] = dashboard.panels.filter(({ type }: { type: string }) => type !== 'row')
/** The expressions of the dashboard, with its variables filled in. */
const shown: string[] = [...panels.flatMap(({ targets }) => targets), ...dashboard.annotations.list].map(({ expr }) =>
  expr.replaceAll('$__rate_interval', '1m').replaceAll('$job', 'grantd').replaceAll('$instance', '.*')
)
const operations = textOf('docs/operations.md')

/** Runs promtool. A missing promtool fails the test and does not skip it. */
function promtool(...args: string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile('promtool', args, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? -1) : 0, output: `${error?.message ?? ''}${stdout}${stderr}` })
    )
  })
}

/** Returns the metrics in an expression, with the labels by which each is selected. */
function selectorsIn(expr: string): { name: string; labels: string[] }[] {
  return [...expr.matchAll(/\b(up|[a-z]+_[a-z0-9_]+)(?:\{([^}]*)\})?(?=[\s[)]|$)/g)]
    .filter(([, name = '']) => !/^(group_left|group_right|label_values)$/.test(name))
    .map(([, name = '', matchers = '']) => ({
      name,
      labels: [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g)].map(([, label = '']) => label)
    }))
}

/** The rows of the table of metrics in docs/operations.md. */
const documented = new Map(
  [...operations.matchAll(/^\| (`grantd_[^|]*)\|([^|]*)\|/gm)].flatMap(([, names = '', labels = '']) =>
    [...names.matchAll(/`(\w+)`/g)].map(([, name = '']) => [
      name,
      [...labels.matchAll(/`(\w+)`/g)].map(([, one]) => one)
    ])
  )
) as Map<string, string[]>

t.test('promtool accepts alerts, their tests and the example of a configuration', async (t) => {
  const charts = join(t.testdir({}), 'dashboard.yaml')
  const recorded = shown.map((expr, i) => ({ record: `shown:${i}`, expr }))
  await writeFile(charts, JSON.stringify({ groups: [{ name: 'dashboard', rules: recorded }] }))
  const runs = [
    ['check', 'rules', '--lint-fatal', inRoot('deploy/prometheus/alerts.yaml')],
    ['test', 'rules', inRoot('deploy/prometheus/alerts.test.yaml')],
    ['check', 'config', '--lint-fatal', inRoot('deploy/prometheus/prometheus.yaml')],
    ['check', 'rules', charts]
  ]
  const results = await Promise.all(runs.map((args) => promtool(...args)))
  for (const [i, { code, output }] of results.entries()) t.equal(code, 0, `${runs[i]?.join(' ')}\n${output}`)
  t.match(results[0]?.output, `${rules.length} rules found`)

  const wrong = join(t.testdir({}), 'wrong.yaml')
  const group = { name: 'wrong', rules: [{ alert: 'Wrong', expr: 'rate(up)' }] }
  await writeFile(wrong, JSON.stringify({ groups: [group] }))
  t.not((await promtool('check', 'rules', wrong)).code, 0, 'and not just anything')
})

t.test('every alert is made to fire, and is quiet over a service that is well', async (t) => {
  const [well, ...others] = parse(textOf('deploy/prometheus/alerts.test.yaml')).tests
  const names = rules.map(({ alert }) => alert)
  // biome-ignore lint/suspicious/noExplicitAny: as it is written there
  const tested = (group: any): any[] => group.alert_rule_test
  t.strictSame(
    others.map((group: { name: string }) => group.name),
    names
  )
  for (const group of others) t.match(tested(group), [{ alertname: group.name, exp_alerts: [{}] }], group.name)
  t.ok(tested(well).every(({ exp_alerts }) => exp_alerts === undefined))
  t.strictSame([...new Set(tested(well).map(({ alertname }) => alertname))], names)
  const [used, given] = [rules.flatMap(({ expr }) => selectorsIn(expr)), JSON.stringify(well.input_series)]
  t.strictSame(
    used.filter(({ name }) => !given.includes(name)),
    [],
    'of which it is given every metric'
  )
})

t.test('metrics', async (t) => {
  const { call, start, poll, decide } = await startApp(t)
  const { grant_code, user_code } = await start()
  await decide(user_code, 'ann')
  await poll(grant_code)
  const text = (await call('GET', '/metrics')).body as string
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\w+)$/gm)].map(([, name = '', type]) => [name, type]))
  const exposed = new Set(
    [...types].flatMap(([name, type]) =>
      type === 'histogram' ? ['bucket', 'sum', 'count'].map((part) => `${name}_${part}`) : [name]
    )
  )
  const own = [...types.keys()].filter((name) => name.startsWith('grantd_'))

  t.test('alerts and dashboard use those that are exposed, by labels that they have', async (t) => {
    const selectors = [...rules.map(({ expr }) => expr), ...shown].flatMap(selectorsIn)
    t.ok(selectors.length >= 75, `${selectors.length} selectors`)
    const unknown = selectors.filter(({ name }) => name !== 'up' && !exposed.has(name))
    t.strictSame(unknown, [])
    for (const { name, labels } of selectors) {
      const known = ['job', 'instance', 'le', ...(documented.get(name.replace(/_(bucket|sum|count)$/, '')) ?? [])]
      t.ok(labels.includes('job'), `${name} is asked of grantd alone`)
      t.strictSame(
        labels.filter((label) => !known.includes(label)),
        [],
        name
      )
    }
    const named = [...rules.map(({ expr }) => expr), ...shown].flatMap((expr) => [
      ...expr.matchAll(/operation=~"([^"]+)"/g)
    ])
    const ids = Object.values(openapiDocument.paths).flatMap((item) =>
      Object.values(item as Record<string, { operationId?: string }>).map(({ operationId }) => operationId)
    )
    for (const [, operations = ''] of named) for (const id of operations.split('|')) t.ok(ids.includes(id), id)
  })

  t.test('each of our own is documented, with its labels, and on the dashboard', async (t) => {
    t.ok(own.length >= 18, `${own.length} metrics`)
    t.strictSame([...documented.keys()].sort(), own.sort())
    t.match(textOf('README.md'), '](docs/operations.md)')
    const onDashboard = shown.flatMap(selectorsIn).map(({ name }) => name.replace(/_(bucket|sum|count)$/, ''))
    for (const name of own) {
      t.ok(onDashboard.includes(name), `${name} is on the dashboard`)
      const [, labels = ''] = new RegExp(`^${name}(?:_bucket|_count|)\\{(.*)\\} `, 'm').exec(text) ?? []
      const has = [...labels.matchAll(/(\w+)="/g)].map(([, label]) => label).filter((label) => label !== 'le')
      if (has.length > 0) t.strictSame(documented.get(name), has, name)
    }
  })

  t.test('what is near its limit is measured against the limit that is deployed', async (t) => {
    const [{ spec }] = readManifests('deployment.yaml')
    const [, share, mebibytes] = /> (0\.\d+) \* (\d+) \* 1024 \* 1024/.exec(exprOf('GrantdMemoryHigh')) ?? []
    t.equal(`${mebibytes}Mi`, spec.template.spec.containers[0].resources.limits.memory)
    t.equal(share, '0.8')
    const [scrape] = parse(textOf('deploy/prometheus/prometheus.yaml')).scrape_configs
    const [{ names, port }] = scrape.dns_sd_configs
    const services = readManifests('service.yaml').filter(({ spec }) => spec.publishNotReadyAddresses)
    t.equal(names[0].split('.')[0], services[0].metadata.name)
    t.equal(port, services[0].spec.ports[0].port)
    t.equal(scrape.job_name, 'grantd')
  })
})

const exprOf = (name: string) => rules.find(({ alert }) => alert === name)?.expr ?? ''

t.test('every alert says what it is, how bad, and where to read on; and there is what to read', async (t) => {
  t.ok(rules.length >= 20, `${rules.length} alerts`)
  const [, section = ''] = /^## Alerts$([\s\S]*?)(?=^## )/m.exec(operations) ?? []
  const told = new Map(
    section
      .split(/^### /m)
      .slice(1)
      .map((text) => [text.split('\n', 1)[0] ?? '', text] as const)
  )
  t.strictSame(
    [...told.keys()],
    rules.map(({ alert }) => alert)
  )
  for (const { alert, labels, annotations } of rules) {
    const { severity = '' } = labels
    t.match(severity, /^(critical|warning)$/, alert)
    t.match(annotations, { summary: /\w{3}/, description: /\w{3}.*\.$/ }, alert)
    t.equal(annotations.runbook_url, `https://runbooks.example.com/grantd/operations.md#${alert.toLowerCase()}`)
    const [, first] = /\n\n(\w+)\. /.exec(told.get(alert) ?? '') ?? []
    t.equal(first?.toLowerCase(), severity, `${alert} is as bad there as here`)
  }
})

t.test('RUNBOOK_BASE leads every alert to another runbook, and changes nothing else', async (t) => {
  const print = (RUNBOOK_BASE: string) => run('../../deploy/prometheus/runbooks.mjs', [], { RUNBOOK_BASE })
  const base = 'https://wiki.acme.example/grantd/operations?version=3'
  const { code, stdout, stderr } = await print(base)
  t.equal(code, 0, stderr)
  const shipped = textOf('deploy/prometheus/alerts.yaml')
  t.equal(stdout.replaceAll(base, 'https://runbooks.example.com/grantd/operations.md'), shipped)
  const urls = [...stdout.matchAll(/runbook_url: (\S+)/g)].map(([, url = '']) => url)
  t.equal(urls.length, rules.length)
  for (const url of urls) t.ok(url.startsWith(`${base}#`) && URL.canParse(url), url)
  for (const wrong of ['', 'docs/operations.md', 'ftp://wiki.acme.example/', 'https://wiki.acme.example/#grantd']) {
    t.match(await print(wrong), { code: 2, stdout: '', stderr: /^RUNBOOK_BASE: expected / }, wrong)
  }
})

t.test('the dashboard is one', async (t) => {
  t.match(dashboard, { title: 'grantd', uid: 'grantd', id: null, schemaVersion: Number })
  t.ok(dashboard.schemaVersion >= 42)
  const variables = dashboard.templating.list.map(({ name }: { name: string }) => name)
  t.strictSame(variables, ['datasource', 'job', 'instance'])
  const ids = dashboard.panels.map(({ id }: { id: number }) => id)
  t.equal(new Set(ids).size, ids.length)
  t.ok(panels.length >= 25, `${panels.length} panels`)
  const taken = new Set<string>()
  for (const { title, datasource, targets, gridPos } of panels) {
    t.ok(title)
    t.equal(datasource.uid, `\${datasource}`, title)
    t.ok(targets.length > 0, title)
    t.ok(gridPos.x + gridPos.w <= 24, title)
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        if (taken.has(`${x} ${y}`)) t.fail(`${title} lies on another panel`)
        taken.add(`${x} ${y}`)
      }
    }
  }
})

t.test('the guide: its links lead somewhere, its commands and settings exist', async (t) => {
  const anchorsOf = (text: string) =>
    [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^\w\s-]/g, '')
        .replaceAll(' ', '-')
    )
  let looked = 0
  for (const file of ['docs/operations.md', 'deploy/README.md']) {
    for (const [, target = ''] of textOf(file).matchAll(/\]\(([^)\s]+)\)/g)) {
      looked += 1
      const [name = '', anchor] = target.split('#')
      const there = name ? join(file, '..', name) : file
      t.ok(existsSync(inRoot(there)), `${file}: ${target}`)
      if (anchor && existsSync(inRoot(there))) t.ok(anchorsOf(textOf(there)).includes(anchor), `${file}: ${target}`)
    }
  }
  t.ok(looked >= 35, `${looked} links`)
  const cli = textOf('src/cli/commands.ts')
  // What is in code, outside of the blocks: every other piece between backticks.
  const spans = operations
    .replaceAll(/^```[\s\S]*?^```$/gm, '')
    .split('\n')
    .flatMap((line) => line.split('`').filter((_, i) => i % 2 === 1))
  const nouns = 'keys|clients|users|grants|api-keys|providers|restore|epoch|webhooks'
  const commands = spans.flatMap((span) => [
    ...span.matchAll(new RegExp(`(?:^|-- |grantd )((?:${nouns}) [a-z-]+)`, 'g'))
  ])
  t.ok(commands.length >= 10, `${commands.length} commands`)
  for (const [, command = ''] of commands) t.ok(cli.includes(`'${command}'`), command)
})

const read = (path: string) => readFileSync(inRoot(path), 'utf8')
const kustomization = parse(readFileSync(join(MANIFESTS, 'kustomization.yaml'), 'utf8'))
const objects = manifestFiles().flatMap(readManifests)
const all = (kind: string) => objects.filter((object) => object.kind === kind)
const [deployment] = all('Deployment')
const pod = deployment.spec.template
const [container] = pod.spec.containers
const variables = ({ spec }: Manifest) => spec.template.spec.containers[0].env as Manifest[]
const settingOf = (name: string) => variables(deployment).find((one) => one.name === name)?.value
const patched = ['redis-sentinel', 'redis-cluster'].map((folder) => {
  const [patch] = readManifests(`${folder}/environment.yaml`)
  return withEnvironment(deployment, patch)
})

t.test('the files are those that kustomize is told of, and none says where it goes', async (t) => {
  t.strictSame([...kustomization.resources].sort(), manifestFiles().sort())
  t.ok(objects.length >= 8, `${objects.length} objects`)
  for (const { kind, metadata } of objects) {
    t.equal(metadata.namespace, undefined, kind)
    t.match(metadata, { name: /^grantd(-instances)?$/, labels: { 'app.kubernetes.io/name': 'grantd' } }, kind)
  }
  for (const folder of ['redis-sentinel', 'redis-cluster']) {
    const component = parse(readFileSync(join(MANIFESTS, folder, 'kustomization.yaml'), 'utf8'))
    t.match(component, { kind: 'Component', patches: [{ path: 'environment.yaml' }] }, folder)
  }
})

t.test('every object is one of Kubernetes, with no member that it does not know', async (t) => {
  t.strictSame(typeFaults([...objects, ...patched]), [])
  const [policy] = all('NetworkPolicy')
  const broken = [deployment, deployment, deployment, policy].map((object) => structuredClone(object))
  broken[0].spec.template.spec.containers[0].readinessProbe.failureTreshold = 3
  broken[1].spec.template.spec.containers[0].env[0].value = 3333
  delete broken[2].spec.selector
  broken[3].spec.ingress[0].from[0].namespaceSelector.matchLabel = {}
  t.equal(typeFaults(broken).length, broken.length, 'and would not be if it had one, deep inside as well')
})

t.test('the environment is one that the service takes', async (t) => {
  const known = Object.keys(EnvironmentSchema.properties)
  const names = (one: Manifest) => variables(one).map(({ name }) => name as string)
  const always = names(deployment)
  t.equal(new Set(always).size, always.length)

  t.test('every name is one of the configuration', async (t) => {
    const ofRedis = /^REDIS_(SENTINELS|SENTINEL_NAME|CLUSTER|WAIT_REPLICAS|TIMEOUT_MS)$/
    t.strictSame(
      always.filter((name) => !known.includes(name) && !ofRedis.test(name)),
      []
    )
  })
  t.test('so are those of the topologies of Redis', async (t) => {
    const used = new Set([deployment, ...patched].flatMap(names).filter((name) => name.startsWith('REDIS_')))
    for (const name of [...used, 'REDIS_TIMEOUT_MS']) t.ok(known.includes(name), name)
    for (const one of patched) t.notOk(names(one).includes('REDIS_URL'), 'one way to Redis, not two')
  })

  const secrets: Record<string, string> = {
    REDIS_URL: 'redis://redis',
    GRANTD_SECRET,
    DASHBOARD_JWT_SECRET: DASHBOARD_SECRET
  }
  const configOf = (one: Manifest) =>
    loadConfig(Object.fromEntries(variables(one).map(({ name, value }) => [name, value ?? secrets[name]])))
  const config = configOf(deployment)
  for (const one of patched) t.equal(configOf(one).port, config.port, 'with every topology of Redis')
  t.equal(config.port, container.ports[0].containerPort)
  t.match(read('Dockerfile'), `HOST=0.0.0.0 PORT=${config.port}`)
  t.equal(config.heldPolls, 10_000)
  const howTo = read('deploy/README.md')
  const references = variables(deployment).filter(({ valueFrom }) => valueFrom)
  t.strictSame(references.map(({ name }) => name).sort(), Object.keys(secrets).sort(), 'secrets come by reference')
  for (const { name, valueFrom } of references) {
    t.strictSame(valueFrom, { secretKeyRef: { name: 'grantd', key: name } })
    t.match(howTo, `--from-literal=${name}=`, 'and the Secret that is made has them')
  }
})

t.test('what points at something finds it', async (t) => {
  const labels = pod.metadata.labels
  const matches = (selector: Record<string, string>) =>
    Object.entries(selector).every(([name, value]) => labels[name] === value)
  const selectors = [
    deployment.spec.selector.matchLabels,
    ...pod.spec.topologySpreadConstraints.map(({ labelSelector }: Manifest) => labelSelector.matchLabels),
    ...all('Service').map(({ spec }) => spec.selector),
    ...all('PodDisruptionBudget').map(({ spec }) => spec.selector.matchLabels),
    ...all('NetworkPolicy').map(({ spec }) => spec.podSelector.matchLabels)
  ]
  t.equal(selectors.length, 7)
  for (const selector of selectors)
    t.ok(Object.keys(selector).length > 0 && matches(selector), JSON.stringify(selector))

  t.strictSame(container.ports, [{ name: 'http', containerPort: 3333 }])
  for (const { spec } of all('Service')) t.match(spec.ports, [{ name: 'http', targetPort: 'http' }])
  const paths = all('Ingress')[0].spec.rules.flatMap(({ http }: Manifest) => http.paths)
  for (const { backend } of paths) t.strictSame(backend, { service: { name: 'grantd', port: { name: 'http' } } })
  const [{ spec: autoscaler }] = all('HorizontalPodAutoscaler')
  t.match(autoscaler.scaleTargetRef, { apiVersion: 'apps/v1', kind: 'Deployment', name: 'grantd' })
  t.equal(pod.spec.serviceAccountName, all('ServiceAccount')[0].metadata.name)
  t.equal(kustomization.resources.includes('ingress.yaml'), true)
})

t.test('instances come and go without anybody noticing', async (t) => {
  const [, ms = ''] = /STOP_WITHIN_MS = ([\d_]+)/.exec(read('src/server.ts')) ?? []
  const stopSeconds = Number(settingOf('SHUTDOWN_DELAY_SECONDS')) + Number(ms.replaceAll('_', '')) / 1000
  t.ok(stopSeconds > 10 && pod.spec.terminationGracePeriodSeconds > stopSeconds, `${stopSeconds} s`)
  t.notOk(container.lifecycle, 'the delay begins with SIGTERM; a preStop hook would eat into it')
  t.match(deployment.spec.strategy, { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0 } })

  const [{ spec: autoscaler }] = all('HorizontalPodAutoscaler')
  const [{ spec: budget }] = all('PodDisruptionBudget')
  t.notOk('replicas' in deployment.spec, 'the autoscaler has their number')
  t.ok(budget.maxUnavailable < autoscaler.minReplicas && autoscaler.minReplicas >= 2)
  t.ok(autoscaler.maxReplicas > autoscaler.minReplicas)
  t.match(autoscaler.metrics, [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization' } } }])
  t.ok(container.resources.requests.cpu, 'which is a part of what is requested')
})

t.test('it runs with no rights that it does not need', async (t) => {
  t.match(pod.spec, {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: { runAsNonRoot: true, runAsUser: Number, seccompProfile: { type: 'RuntimeDefault' } }
  })
  t.match(container.securityContext, {
    ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } }
  })
  t.equal(all('ServiceAccount')[0].automountServiceAccountToken, false)
  const [{ spec }] = all('NetworkPolicy')
  t.strictSame(spec.policyTypes, ['Ingress', 'Egress'])
  t.ok(spec.ingress.every(({ from, ports }: Manifest) => from?.length === 1 && ports[0].port === 'http'))
  t.equal(spec.ingress.length, 2)
  const ports = spec.egress.flatMap(
    ({ to, ports }: Manifest) => to?.length > 0 && ports.map(({ port }: Manifest) => port)
  )
  t.strictSame(ports, [6379, 26379, 53, 53, 443])
})

t.test('routes', async (t) => {
  const app = buildApp(loadConfig({ SIGNING_ALG: 'EdDSA' }), { logger: false })
  const routes: { url: string; byHost: boolean }[] = []
  app.addHook('onRoute', ({ url, config }) => {
    routes.push({ url, byHost: Boolean(config?.byHost) })
  })
  t.teardown(() => app.close())
  await app.ready()

  t.test('probes ask for what is there', async (t) => {
    const probes = ['startupProbe', 'livenessProbe', 'readinessProbe'].map((name) => container[name].httpGet)
    t.strictSame(
      probes.map(({ path }) => path),
      ['/healthz', '/healthz', '/readyz']
    )
    for (const { path, port } of probes) {
      t.equal(port, 'http')
      t.equal((await app.inject(path)).statusCode, 200, path)
    }
  })

  t.test('everything is open to the outside but what is for operators', async (t) => {
    const [{ spec, metadata }] = all('Ingress')
    const [own, issuers] = spec.rules
    t.equal(`https://${own.host}`, settingOf('PUBLIC_URL'))
    t.equal(issuers.host, `*.${settingOf('TOKENS_BASE_DOMAIN')}`)
    t.strictSame(spec.tls[0].hosts, [own.host, issuers.host])
    const isOpen = ({ http }: Manifest, url: string) =>
      http.paths.some(({ path, pathType }: Manifest) =>
        pathType === 'Exact' ? url === path : url === path || url.startsWith(`${path}/`)
      )
    const isInner = (url: string) => ['/metrics', '/readyz', '/healthz'].includes(url)
    const ofPaths = (url: string) => url.startsWith('/:providerId/.well-known/')
    t.ok(routes.length >= 100, `${routes.length} routes`)
    for (const { url, byHost } of routes) {
      if (!byHost && !ofPaths(url)) t.equal(isOpen(own, url), !isInner(url), url)
      // What an issuer's host does not have is refused outside already, and again within.
      if (byHost) t.equal(isOpen(issuers, url), url !== '/*', url)
    }
    for (const url of ['/metrics', '/readyz', '/metrics/', '//metrics'])
      t.notOk(isOpen(issuers, url) || isOpen(own, url))
    const patience = Number.parseInt(metadata.annotations['nginx.org/proxy-read-timeout'], 10)
    t.ok(patience >= LONGEST_WAIT_SECONDS + 10, `${patience} s`)
  })
})
