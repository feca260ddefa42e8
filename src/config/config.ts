/** The configuration: what the environment and the files it names come to, frozen. load-config.ts makes it. */
import type { Environment } from '../../schemas/config.js'
import type { CoreConfig } from '../core/config.js'
import type { RedisConfig } from './redis.js'

/** What the service runs by. Durations carry their unit in the name. */
export interface Config extends CoreConfig {
  readonly host: string
  readonly port: number
  readonly verificationUri: string
  readonly corsOrigins: readonly string[]
  readonly redis: RedisConfig | undefined
  /** Signing in by typing a name: for trying out on this machine alone. */
  readonly demoSignIn: boolean
  /** What the pages call the service. */
  readonly serviceName: string
  readonly environmentId: string | undefined
  readonly sessions: CoreConfig['sessions'] & {
    /** Who signed in longer ago signs in again before they decide. */
    readonly consentMaxAuthAgeSeconds: number
  }
  readonly trustProxy: readonly string[]
  readonly edgeHeaders: Environment['EDGE_HEADERS']
  readonly logLevel: Environment['LOG_LEVEL']
  readonly limits: Limits | 'off'
  readonly shutdownDelaySeconds: number
  /** Names of the secrets that were made up for this process, because it only tries things out. */
  readonly madeUpSecrets: readonly string[]
}

export interface Limits {
  readonly startPerMinute: number
  readonly peekPerMinute: number
  readonly approvePerMinute: number
  readonly refreshPerMinute: number
  readonly revokePerMinute: number
  readonly introspectPerMinute: number
  readonly userinfoPerMinute: number
  readonly signInPerMinute: number
  readonly accessTokenPerMinute: number
  readonly tokensApiPerHour: number
  readonly missesPerUser: number
  readonly missesPerIp: number
}
