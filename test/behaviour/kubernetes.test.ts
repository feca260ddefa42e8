/** Checks that the manifests fit the types of Kubernetes, each other, and the service. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { parse } from 'yaml'
import { EnvironmentSchema } from '../../schemas/config.js'
import { buildApp } from '../../src/app.js'
import { loadConfig } from '../../src/config/load-config.js'
import { LONGEST_WAIT_SECONDS } from '../../src/core/grants/held-polls.js'
import { GRANTD_SECRET } from '../support/app.js'
import {
  MANIFESTS,
  type Manifest,
  manifestFiles,
  readManifests,
  typeFaults,
  withEnvironment
} from '../support/manifests.js'
import { DASHBOARD_SECRET } from '../support/tokens.js'

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8')
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
      if (byHost) t.ok(isOpen(issuers, url), url)
    }
    for (const url of ['/metrics', '/readyz', '/metrics/', '//metrics'])
      t.notOk(isOpen(issuers, url) || isOpen(own, url))
    const patience = Number.parseInt(metadata.annotations['nginx.org/proxy-read-timeout'], 10)
    t.ok(patience >= LONGEST_WAIT_SECONDS + 10, `${patience} s`)
  })
})
