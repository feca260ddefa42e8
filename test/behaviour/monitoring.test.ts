/** Checks that alerts, dashboard and runbook name only existing metrics and labels, and fit each other. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { parse } from 'yaml'
import { openapiDocument } from '../../schemas/generated/openapi.js'
import { startApp } from '../support/app.js'
import { readManifests } from '../support/manifests.js'

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url))
const read = (name: string) => readFileSync(path(name), 'utf8')

interface Rule {
  alert: string
  expr: string
  labels: Record<string, string>
  annotations: Record<string, string>
}

const rules: Rule[] = parse(read('deploy/prometheus/alerts.yaml')).groups.flatMap(
  ({ rules }: { rules: Rule[] }) => rules
)
const dashboard = JSON.parse(read('deploy/grafana/grantd.json'))
// biome-ignore lint/suspicious/noExplicitAny: panels of every kind
const panels: any[] = dashboard.panels.filter(({ type }: { type: string }) => type !== 'row')
/** The expressions of the dashboard, with its variables filled in. */
const shown: string[] = [...panels.flatMap(({ targets }) => targets), ...dashboard.annotations.list].map(({ expr }) =>
  expr.replaceAll('$__rate_interval', '1m').replaceAll('$job', 'grantd').replaceAll('$instance', '.*')
)
const operations = read('docs/operations.md')

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
    ['check', 'rules', '--lint-fatal', path('deploy/prometheus/alerts.yaml')],
    ['test', 'rules', path('deploy/prometheus/alerts.test.yaml')],
    ['check', 'config', '--lint-fatal', path('deploy/prometheus/prometheus.yaml')],
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
  const [well, ...others] = parse(read('deploy/prometheus/alerts.test.yaml')).tests
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
    t.match(read('README.md'), '](docs/operations.md)')
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
    const [scrape] = parse(read('deploy/prometheus/prometheus.yaml')).scrape_configs
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
    t.equal(annotations.runbook_url, `docs/operations.md#${alert.toLowerCase()}`)
    const [, first] = /\n\n(\w+)\. /.exec(told.get(alert) ?? '') ?? []
    t.equal(first?.toLowerCase(), severity, `${alert} is as bad there as here`)
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
    for (const [, target = ''] of read(file).matchAll(/\]\(([^)\s]+)\)/g)) {
      looked += 1
      const [name = '', anchor] = target.split('#')
      const there = name ? join(file, '..', name) : file
      t.ok(existsSync(path(there)), `${file}: ${target}`)
      if (anchor && existsSync(path(there))) t.ok(anchorsOf(read(there)).includes(anchor), `${file}: ${target}`)
    }
  }
  t.ok(looked >= 35, `${looked} links`)
  const cli = read('src/cli.ts')
  const commands = [...operations.matchAll(/`(?:[^`\n]* )?((?:keys|clients|api-keys|providers) [a-z-]+)[^`\n]*`/g)]
  t.ok(commands.length >= 10, `${commands.length} commands`)
  for (const [, command = ''] of commands) t.ok(cli.includes(`'${command}'`), command)
})
