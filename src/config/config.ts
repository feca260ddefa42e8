/** The type of the configuration, which load-config.ts builds from the environment and the files it names. */
import type { Environment } from '../../schemas/config.js'
import type { CoreConfig } from '../core/config.js'
import type { Accent } from './brand-color.js'
import type { RedisConfig } from './redis.js'

/** The configuration of the whole service, frozen. Durations carry their unit in the name. */
export interface Config extends CoreConfig {
  readonly host: string
  readonly port: number
  readonly verificationUri: string
  readonly corsOrigins: readonly string[]
  readonly redis: RedisConfig | undefined
  /** Whether users sign in by typing a name: only without Redis and upstreams, on a loopback address. */
  readonly demoSignIn: boolean
  /** Whether people sign in here, by name or at an upstream. Otherwise the operator's dashboard has what pages would do. */
  readonly hasPages: boolean
  /** The name that the pages show for the service access is granted to. */
  readonly serviceName: string
  /** How the pages look: the accent in each colour scheme, and the logo as an SVG. */
  readonly brand: { readonly light: Accent; readonly dark: Accent; readonly logo: string | undefined }
  readonly environmentId: string | undefined
  readonly sessions: CoreConfig['sessions'] & {
    /** A user who signed in longer ago than this must sign in again before a decision. */
    readonly consentMaxAuthAgeSeconds: number
  }
  readonly trustProxy: readonly string[]
  /** Whose requests no limit counts by address. */
  readonly trustedCallers: readonly string[]
  /** Where these proxies put the address of the client. The other header is not read. */
  readonly trustProxyHeader: Environment['TRUST_PROXY_HEADER']
  readonly edgeHeaders: Environment['EDGE_HEADERS']
  readonly showsDocs: boolean
  readonly logLevel: Environment['LOG_LEVEL']
  readonly limits: Limits | 'off'
  /** How many events of the audit trail are kept, about. */
  readonly eventsKept: number
  readonly auditLog: Environment['AUDIT_LOG']
  readonly keepAliveSeconds: number
  readonly shutdownDelaySeconds: number
  /** The names of secrets that were not set and are random for the life of this process. */
  readonly madeUpSecrets: readonly string[]
}

export interface Limits {
  readonly startPerMinute: number
  readonly clientMetadataPerMinute: number
  readonly peekPerMinute: number
  readonly approvePerMinute: number
  readonly refreshPerMinute: number
  readonly revokePerMinute: number
  readonly introspectPerMinute: number
  readonly userinfoPerMinute: number
  readonly signInPerMinute: number
  readonly accountPerMinute: number
  readonly pagesPerMinute: number
  readonly accessTokenPerMinute: number
  readonly tokensApiPerHour: number
  readonly missesPerUser: number
  readonly missesPerIp: number
  readonly wrongSecretsPerIp: number
  readonly pendingPerIp: number
  readonly pendingPerClient: number
}
