/**
 * What the service says of itself once it listens: on a terminal a banner for the person who started it, elsewhere warnings in
 * the log. Neither holds a secret. Why a start failed is said in start-error.ts.
 */
import { styleText } from 'node:util'
import type { Config } from '../config/config.js'
import { isThisMachine } from '../config/faults.js'

/** Something an operator should know. `line` is how the log says it, `sentence` how the banner does. */
export interface StartWarning {
  readonly line: string
  readonly sentence: string
}

export interface BannerFacts {
  version: string
  config: Config
  /** The port that is listened on, which the configuration may have left to the system. */
  port: number
  isCheckout: boolean
  /** Whether the configured log level is the default of terminals and not somebody's choice. */
  isQuietByDefault: boolean
}

type Style = (format: Parameters<typeof styleText>[0], text: string) => string

/** Styles for a terminal, or none: `hasColors` of a stream honours NO_COLOR and TERM. */
export const styleFor = (hasColors: boolean): Style =>
  hasColors ? (format, text) => styleText(format, text, { validateStream: false }) : (_format, text) => text

export function startWarnings(config: Config): StartWarning[] {
  const warnings: StartWarning[] = []
  const { madeUpSecrets: names, publicUrl, verificationUri } = config
  if (names.length > 0) {
    warnings.push({
      line:
        `for trying out only: ${names.join(' and ')} made up for the life of this process` +
        `${config.redis ? '' : ', which keeps everything in its own memory'}`,
      sentence: `For trying out only: ${names.join(' and ')} ${names.length > 1 ? 'are' : 'is'} made up for the life of this process.`
    })
  }
  if (verificationUri === `${publicUrl}/device` && config.upstreams.length === 0 && !config.demoSignIn) {
    warnings.push({
      line: 'clients send people to a page that is not there: set PROVIDERS_FILE, or VERIFICATION_URI to a page of yours',
      sentence: `Clients send people to ${verificationUri}, which is not there: set PROVIDERS_FILE, or VERIFICATION_URI to a page of yours.`
    })
  }
  if (config.redis && config.demoSignIn) {
    warnings.push({
      line: 'DEMO_SIGN_IN: whoever reaches the pages signs in as anybody',
      sentence:
        'DEMO_SIGN_IN is on: whoever reaches the pages signs in as anybody. It is for trying out, on this machine alone.'
    })
  }
  if (config.redis && config.expectedIssuer === undefined) {
    warnings.push({
      line: `PUBLIC_URL is not set: clients are sent to ${publicUrl}`,
      sentence: `PUBLIC_URL is not set: clients are sent to ${publicUrl}, which leads nowhere from another machine.`
    })
  }
  for (const { name, meant } of config.strayVariables) {
    const line = `${name} is set and not read${meant === undefined ? ': there is no such variable' : `: ${meant} may be meant`}`
    warnings.push({ line, sentence: `${line}.` })
  }
  return warnings
}

/** The banner's text, which ends with an empty line: the log goes on below it. */
export function bannerOf({ version, config, port, isCheckout, isQuietByDefault }: BannerFacts, style: Style): string {
  const local = `http://localhost:${port}`
  const url = config.expectedIssuer ?? local
  const hasPages = config.upstreams.length > 0 || config.demoSignIn
  const rows = [
    [hasPages ? 'Pages' : 'Service', `${url}/`],
    ['Docs', config.showsDocs ? `${url}/docs` : `${url}/openapi.json`],
    ...(url === local && isThisMachine(config.host) ? [] : [['Listens on', `${hostOf(config.host)}:${port}`]]),
    ['State', stateOf(config)],
    ...(isQuietByDefault ? [['Log', 'what goes wrong; with LOG_LEVEL=info every request as well']] : [])
  ]
  return [
    '',
    style('bold', `grantd ${version}`),
    '',
    ...rows.map(([name = '', value]) => `${style('dim', name.padEnd(12))}${value}`),
    '',
    ...startWarnings(config).flatMap(({ sentence }) => [`${style('yellow', '!')} ${sentence}`, '']),
    isCheckout
      ? `Next, in another terminal:  ${style('bold', demoCommand(url))}`
      : `Next, ask for a code as a program would:  ${style('bold', `curl -d client_id=cli ${url}/oauth/device_authorization`)}`,
    'Ctrl-C stops the service.',
    ''
  ]
    .map((line) => (line === '' ? '\n' : `  ${line}\n`))
    .join('')
}

/** The demo looks at the default port by itself. */
const demoCommand = (url: string) =>
  url === 'http://localhost:3333' ? 'npm run demo' : `GRANTD_URL=${url} npm run demo`

/** A host as it stands before a port. */
export const hostOf = (host: string) => (host.includes(':') ? `[${host}]` : host)

function stateOf({ redis }: Config): string {
  if (!redis) return 'in the memory of this process, for trying out: it ends with it'
  return { single: 'in Redis', sentinel: 'in Redis, behind Sentinels', cluster: 'in a Redis Cluster' }[redis.place.kind]
}
