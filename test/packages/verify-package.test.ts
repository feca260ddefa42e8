/**
 * @grantd/verify as others get it: packed, installed into an empty folder, typed, and its README's examples run as they stand against the
 * built service. And the example API of this repository, which uses it.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import { NPM_ENV, runIn } from '../support/npm.js'
import { freePort } from '../support/ports.js'
import { runProgram } from '../support/programs.js'
import { INVOICES, LOSE_CALLED, REPORTS, startRevocable } from '../support/revocable.js'
import { root } from '../support/root.js'
import { startBareIssuer } from '../support/trusted-issuer.js'
import { until } from '../support/until.js'

const PACKAGE = join(root, 'packages/verify')

const service = await startRevocable(t)
const made = await runProgram('cli.js', ['api-keys', 'create', 'reports', '--rights', 'introspect'], service.env)
const [apiKey = ''] = made.stdout.split('\n')
const SETTINGS = { ISSUER: service.issuer, AUDIENCE: REPORTS, GRANTD_API_KEY: apiKey }

const temporary = await mkdtemp(join(tmpdir(), 'grantd-verify-'))
t.teardown(() => rm(temporary, { recursive: true, force: true }))
const folder = join(temporary, 'empty')
const installed = join(folder, 'node_modules/@grantd/verify')

t.test('npm pack builds it, and it installs with jose alone', async (t) => {
  // A checkout without what was built before.
  const checkout = join(temporary, 'checkout')
  await mkdir(join(checkout, 'packages'), { recursive: true })
  await copyFile(join(root, 'tsconfig.json'), join(checkout, 'tsconfig.json'))
  await symlink(join(root, 'node_modules'), join(checkout, 'node_modules'))
  const copy = join(checkout, 'packages/verify')
  await cp(PACKAGE, copy, { recursive: true, filter: (path) => !['dist', 'node_modules'].includes(basename(path)) })
  await mkdir(join(copy, 'dist'))
  await writeFile(join(copy, 'dist/left-over.js'), '')

  const packed = await runIn(copy, 'npm', ['pack', '--json', '--pack-destination', temporary])
  t.equal(packed.code, 0, packed.stderr)
  const [{ filename, files, unpackedSize }] = JSON.parse(packed.stdout.slice(packed.stdout.indexOf('[\n')))
  const built = (await readdir(join(PACKAGE, 'src')))
    .map((name) => name.replace(/\.ts$/, ''))
    .flatMap((name) => [`dist/${name}.js`, `dist/${name}.d.ts`])
  t.ok(built.length >= 20, `${built.length} files`)
  t.strictSame(
    files.map(({ path }: { path: string }) => path).sort(),
    [...built, 'LICENSE', 'README.md', 'package.json'].sort()
  )
  t.ok(unpackedSize < 100_000, `${unpackedSize} bytes`)

  const flags = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund']
  const install = await runIn(temporary, 'npm', ['install', '--prefix', folder, ...flags, join(temporary, filename)])
  t.equal(install.code, 0, install.stderr)
  const beside = (await readdir(join(folder, 'node_modules'))).filter((name) => !name.startsWith('.'))
  t.strictSame(beside.sort(), ['@grantd', 'jose'])
  await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
})

t.test('its manifest is complete, and every door opens', async (t) => {
  const manifest = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'))
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  t.match(manifest, { name: '@grantd/verify', version, license: 'MIT', type: 'module', sideEffects: false })
  t.strictSame(manifest.engines, { node: '>=20.19' })
  t.ok(manifest.description && manifest.keywords.length > 5)
  const doors = Object.keys(manifest.exports).filter((door) => !door.endsWith('.json'))
  t.strictSame(doors, ['.', './fastify', './middleware'])
  const names = doors.map((door) => door.replace('.', '@grantd/verify'))
  const script = `for (const name of ${JSON.stringify(names)}) console.log(Object.keys(await import(name)).sort().join())`
  const opened = await runIn(folder, process.execPath, ['--input-type=module', '--eval', script])
  t.match(opened, {
    code: 0,
    stdout: 'createVerifier,isVerifyError,resourceMetadataUrl\nverifyTokens\nrequireToken,sendError,serveMetadata\n'
  })
  const inside = await runIn(folder, process.execPath, ['--eval', "import('@grantd/verify/dist/feed.js')"])
  t.match(inside, { code: 1, stderr: 'ERR_PACKAGE_PATH_NOT_EXPORTED' })
})

// Neither changes what the other reads, so they run side by side.
t.test('types and the image', { jobs: 2 }, async (t) => {
  t.test('it is typed, with and without Fastify', async (t) => {
    const options = {
      ...{ module: 'nodenext', target: 'es2023', strict: true, exactOptionalPropertyTypes: true, noEmit: true },
      types: ['node']
    }
    const consumer = `
import { createVerifier, isVerifyError, type AccessTokenClaims, type VerifyError } from '@grantd/verify'
import { requireToken } from '@grantd/verify/middleware'
import { createServer } from 'node:http'
const verifier = createVerifier({ issuer: 'https://a.example', audience: 'b', revocations: 'none' })
const claims: AccessTokenClaims = await verifier.verify('token', { scope: ['a'] })
const texts: string[] = [claims.sub, claims.client_id, claims.jti]
const middleware = requireToken(verifier)
createServer((request, response) => middleware(request, response, () => response.end(texts.join())))
try { await verifier.ready({ signal: AbortSignal.timeout(1) }) } catch (error) {
  if (isVerifyError(error)) { const status: 401 | 403 | 503 = error.status; const same: VerifyError = error; void [status, same] }
}
// @ts-expect-error how revocations are found out must be said
createVerifier({ issuer: 'https://a.example', audience: 'b' })
// @ts-expect-error cid is not in every token
const cid: string = claims.cid
void cid
`
    await mkdir(join(folder, 'node_modules/@types'))
    await symlink(join(root, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'))
    await writeFile(join(folder, 'consumer.ts'), consumer)
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['consumer.ts'] }))
    const tsc = [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.']
    t.match(await runIn(folder, process.execPath, tsc), { code: 0, stdout: '' })

    await symlink(join(root, 'node_modules/fastify'), join(folder, 'node_modules/fastify'))
    const application = `
import { verifyTokens } from '@grantd/verify/fastify'
import Fastify from 'fastify'
const app = Fastify()
await app.register(verifyTokens, { issuer: 'https://a.example', audience: 'b', revocations: 'none' })
app.get('/', { onRequest: app.requireToken({ scope: 'a' }) }, async (request) => request.token?.sub)
// @ts-expect-error there may be no token
app.get('/b', async (request) => request.token.sub)
// @ts-expect-error options are checked
app.register(verifyTokens, { issuer: 'https://a.example' })
`
    await writeFile(join(folder, 'consumer.ts'), application)
    const compilerOptions = { ...options, skipLibCheck: true }
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['consumer.ts'] }))
    t.match(await runIn(folder, process.execPath, tsc), { code: 0, stdout: '' })
  })

  t.test('the image of the service installs without it', async (t) => {
    const image = join(temporary, 'image')
    await mkdir(image)
    for (const name of ['package.json', 'package-lock.json']) await copyFile(join(root, name), join(image, name))
    const flags = ['--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--dry-run']
    t.equal((await runIn(image, 'npm', ['ci', ...flags])).code, 0)
    const ignored = await readFile(join(root, '.dockerignore'), 'utf8')
    t.ok(ignored.includes('\n*\n') && !ignored.includes('packages'), 'nothing of packages is sent to the builder')
  })
})

const readme = await readFile(join(PACKAGE, 'README.md'), 'utf8')
const examples = [...readme.matchAll(/^## (.+)\n[\s\S]*?^```js\n([\s\S]*?)```/gm)].map(([, title = '', code = '']) => ({
  title,
  code
}))

/** Starts a program of the installed package that listens at the returned address. */
async function start(t: Test, cwd: string, args: string[], variables: Record<string, string>): Promise<string> {
  const PORT = `${await freePort()}`
  const child: ChildProcess = spawn(process.execPath, args, { cwd, env: { ...NPM_ENV, ...variables, PORT } })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => (output += data))
  const ended = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const url = `http://localhost:${PORT}`
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`it ended at once:\n${output}`)
    return fetch(url).then(
      () => true,
      () => false
    )
  })
  return url
}

const get = async (url: string, token?: string) => {
  const answer = await fetch(url, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } })
  return { status: answer.status, challenge: answer.headers.get('www-authenticate'), body: await answer.text() }
}

/** What an API must do, whatever it is made of: `/reports` wants `reports.read`. */
async function checkApi(t: Test, url: string): Promise<void> {
  const token = await service.token()
  t.match(await get(`${url}/reports`, token), { status: 200, body: /"reports":/ })
  const metadata = `resource_metadata="${REPORTS}/.well-known/oauth-protected-resource"`
  t.strictSame(await get(`${url}/reports`).then(({ status, challenge }) => [status, challenge]), [
    401,
    `Bearer ${metadata}`
  ])
  const invalid = { status: 401, challenge: /^Bearer error="invalid_token"/ }
  t.match(await get(`${url}/reports`, 'garbage'), invalid)
  const whole = await service.tokens('openid offline_access reports.read', [INVOICES, REPORTS])
  t.match(await get(`${url}/reports`, whole.id_token), invalid, 'an ID token')
  t.match(await get(`${url}/reports`, whole.access_token), invalid, 'one for another API, with the same scope')
  const { body: ours } = await service.refresh(whole.refresh_token, { resource: REPORTS })
  t.equal((await get(`${url}/reports`, ours.access_token)).status, 200, 'of the same authorization, for this one')
  const { access_token: own } = await service.tokens('openid')
  t.match(await get(`${url}/reports`, own), invalid, 'one for the service itself')
  t.match(await get(`${url}/reports`, (await service.tokens('reports.write', REPORTS)).access_token), {
    ...{ status: 403, challenge: /^Bearer error="insufficient_scope".*scope="reports.read"/ }
  })
  const document = await get(`${url}/.well-known/oauth-protected-resource`)
  t.match(JSON.parse(document.body), { resource: REPORTS, authorization_servers: [service.issuer] })

  await service.revoke(token)
  await until(async () => (await get(`${url}/reports`, token)).status === 401)
  t.match(await get(`${url}/reports`, token), invalid, 'revoked')
}

t.test('the examples of its README run as they stand', { jobs: 3 }, async (t) => {
  t.strictSame(
    examples.map(({ title }) => title),
    ['With Fastify', 'With node:http and Express', 'By itself']
  )
  for (const [i, { code }] of examples.entries()) await writeFile(join(folder, `example-${i}.mjs`), code)

  for (const i of [0, 1]) {
    t.test(examples[i]?.title ?? '', async (t) => {
      await checkApi(t, await start(t, folder, [`example-${i}.mjs`], SETTINGS))
    })
  }

  t.test(examples[2]?.title ?? '', async (t) => {
    const token = await service.token()
    const print = (TOKEN: string) => runIn(folder, process.execPath, ['example-2.mjs'], { ...SETTINGS, TOKEN })
    t.match(await print(token), { code: 0, stdout: /^ann by box, until 2\d{3}-.*Z\n$/, stderr: /^feed: live/ })
    await service.revoke(token)
    t.match(await print(token), { code: 0, stdout: '401 invalid_token: revoked\n' })
    t.match(await print(''), { code: 0, stdout: '401 missing_token: missing\n' })
  })
})

t.test('examples/protected-api', async (t) => {
  const program = ['--import=tsx', 'examples/protected-api/main.ts']
  const [unset, url, other] = await Promise.all([
    runIn(root, process.execPath, program),
    start(t, root, program, SETTINGS),
    start(t, root, program, { ...SETTINGS, AUDIENCE: INVOICES })
  ])
  t.match(unset, { code: 1, stderr: /^Set ISSUER, AUDIENCE and GRANTD_API_KEY/ })
  await checkApi(t, url)
  await until(async () => (await get(`${url}/health`)).body === '{"feed":"live"}')

  t.test('a token for another API is refused and good there, and one of another issuer is refused', async (t) => {
    const invalid = { status: 401, challenge: /^Bearer error="invalid_token"/ }
    t.match(await get(`${other}/reports`, await service.token()), invalid)
    const { access_token: theirs } = await service.tokens('reports.read', INVOICES)
    t.equal((await get(`${other}/reports`, theirs)).status, 200)
    t.match(await get(`${url}/reports`, theirs), invalid)
    const stranger = await startBareIssuer(t, { isPlain: true })
    const claims = {
      iss: service.issuer,
      aud: REPORTS,
      client_id: 'box',
      jti: 'a',
      cid: 'a',
      scope: 'reports.read'
    }
    const forged = await stranger.token(claims, { header: { typ: 'at+jwt' } })
    t.match(await get(`${url}/reports`, forged), invalid)
  })

  t.test('reports are those of the token', async (t) => {
    const { access_token } = await service.tokens('reports.read reports.write', REPORTS)
    const headers = { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ title: 'Of November' })
    t.equal((await fetch(`${url}/reports`, { method: 'POST', headers, body })).status, 201)
    t.equal((await get(`${url}/reports`, access_token)).body, '{"reports":["Of November"]}')
  })

  t.test('while grantd is away, it knows what it knew; when it is back, it has what was revoked', async (t) => {
    const [token, other] = [await service.token(), await service.token()]
    t.equal((await get(`${url}/reports`, token)).status, 200)
    await service.there().stop('SIGKILL')
    await until(async () => (await get(`${url}/health`)).body === '{"feed":"lost"}')
    t.equal((await get(`${url}/reports`, other)).status, 200)
    await service.revoke(token)
    await service.restart()
    service.proxy.lose(LOSE_CALLED)
    await until(async () => (await get(`${url}/reports`, token)).status === 401)
    t.equal((await get(`${url}/reports`, other)).status, 200)
  })
})
