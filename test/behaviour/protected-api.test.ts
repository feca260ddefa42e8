/** The API that docs/oauth.md shows, run as it stands over the built service: whom it lets in, and what it says to the others. */
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { GRANTD_SECRET } from '../support/app.js'
import { apiClient } from '../support/client.js'
import { clientsFile, DEVICE_CODE } from '../support/oauth-app.js'
import { freePort } from '../support/ports.js'
import { runProgram } from '../support/programs.js'
import { startRedis } from '../support/redis-server.js'
import { startService } from '../support/service.js'
import { DASHBOARD_SECRET } from '../support/tokens.js'
import { until } from '../support/until.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

t.test('an API that is protected as docs/oauth.md shows', async (t) => {
  const page = await readFile(`${root}/docs/oauth.md`, 'utf8')
  const [, shown = ''] = /## Protect your API[\s\S]*?```js\n([\s\S]*?)```/.exec(page) ?? []
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const [port, apiPort, SIGNING_ALG] = [await freePort(), await freePort(), 'EdDSA']
  const issuer = `http://127.0.0.1:${port}`
  const OAUTH_CLIENTS_FILE = clientsFile(t, [
    { client_id: 'films', scope: 'films.read' },
    { client_id: 'news', scope: 'news.read' }
  ])
  const settings = { REDIS_URL: redis.url, PUBLIC_URL: issuer, SIGNING_ALG, OAUTH_CLIENTS_FILE, LIMITS: 'off' }
  const service = await startService(t, { ...settings, PORT: `${port}` })
  const { stdout } = await runProgram('cli.js', ['api-keys', 'create', 'films-api'], {
    ...settings,
    GRANTD_SECRET,
    DASHBOARD_JWT_SECRET: DASHBOARD_SECRET
  })
  const [GRANTD_API_KEY = ''] = stdout.split('\n')

  // As shown, but for the addresses.
  const script = shown.replace('https://grants.example.com', issuer).replace('4000', `${apiPort}`)
  t.not(script.length, shown.length)
  const options = { cwd: root, env: { PATH: process.env.PATH, GRANTD_API_KEY } }
  const program = spawn(process.execPath, ['--input-type=module', '--eval', script], { ...options, stdio: 'ignore' })
  t.teardown(() => program.kill('SIGKILL'))
  const api = `http://127.0.0.1:${apiPort}/`
  const ask = async (token?: string) => {
    const answer = await fetch(api, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } })
    return [answer.status, answer.headers.get('www-authenticate') ?? (await answer.text())]
  }
  await until(() =>
    fetch(api).then(
      () => true,
      () => false
    )
  )

  const post = async (path: string, form: Record<string, string>) => {
    const answer = await fetch(`${issuer}/oauth/${path}`, { method: 'POST', body: new URLSearchParams(form) })
    return answer.json()
  }
  const collect = async (client_id: string, scope: string): Promise<string> => {
    const { device_code, user_code } = await post('device_authorization', { client_id, scope })
    t.equal((await apiClient(issuer).decide(user_code, 'ann')).status, 200)
    return (await post('token', { client_id, device_code, grant_type: DEVICE_CODE })).access_token
  }
  const token = await collect('films', 'films.read')
  t.same(await ask(token), [200, 'films of ann\n'])
  t.same(await ask(), [401, 'Bearer'])
  const refused = [401, 'Bearer error="invalid_token"']
  const [head, body, signature = ''] = token.split('.')
  const unsigned = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${body}.`
  for (const wrong of [
    'x',
    `${head}.${body}.${signature.replace(/^./, (one) => (one === 'A' ? 'B' : 'A'))}`,
    unsigned
  ]) {
    t.same(await ask(wrong), refused, wrong)
  }
  t.same(await ask(await collect('news', 'news.read')), [403, 'Bearer error="insufficient_scope", scope="films.read"'])
  await fetch(`${issuer}/oauth/revoke`, { method: 'POST', body: new URLSearchParams({ client_id: 'films', token }) })
  t.same(await ask(token), refused, 'revoked')

  const other = await collect('films', 'films.read')
  await service.stop()
  t.same(await ask(other), [503, ''], 'could not look is not "no"')
})
