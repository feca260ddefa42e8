/**
 * Turns the environment into one frozen configuration, or rejects it with all faults at once. The variables are described in
 * schemas/config.ts; checks that a schema cannot express are in faults.ts.
 */
import type { TSchema } from '@sinclair/typebox'
import { Errors } from '@sinclair/typebox/errors'
import { type Environment, EnvironmentSchema } from '../../schemas/config.js'
import { readAdmins } from './admins.js'
import { assembleConfig, publicUrlOf } from './assemble-config.js'
import { readClientsFile } from './clients-file.js'
import type { Config } from './config.js'
import { crossFaults } from './faults.js'
import { readLogoFile, readPemFile } from './named-files.js'
import { readRulesFile } from './rules-file.js'
import { strayVariables } from './stray-variables.js'
import { readUpstreamsFile } from './upstreams-file.js'
import { readWebhooksFile } from './webhooks-file.js'

/** The environment is invalid: `faults` has one line per fault, beginning with the variable's name. */
export class ConfigError extends Error {
  readonly faults: readonly string[]
  constructor(faults: readonly string[]) {
    super(`the configuration is wrong:\n${faults.map((line) => `  ${line}`).join('\n')}`)
    this.name = 'ConfigError'
    this.faults = faults
  }
}

type Variables = Readonly<Record<string, string | undefined>>

/** Reads the environment and the files it names. An empty variable counts as absent. Throws ConfigError. */
export function loadConfig(variables: Variables): Config {
  const values = readValues(variables)
  const malformed = shapeFaults(values)
  // A malformed value is reported already; the checks that combine several variables treat it as absent.
  for (const name of malformed.keys()) delete values[name]
  const wellFormed = { ...readValues({}), ...values } as Environment
  const crossed = [...crossFaults(wellFormed, malformed)]
  const clientsFile = readClientsFile(wellFormed.OAUTH_CLIENTS_FILE, publicUrlOf(wellFormed))
  const rulesFile = readRulesFile(wellFormed.RULES_FILE, {
    clients: clientsFile.faults.length > 0 ? undefined : clientsFile.clients,
    knowsCountries: wellFormed.EDGE_HEADERS !== undefined || malformed.has('EDGE_HEADERS')
  })
  const upstreamsFile = readUpstreamsFile(values.PROVIDERS_FILE as string | undefined)
  const webhooksFile = readWebhooksFile(values.WEBHOOKS_FILE as string | undefined)
  const hasUpstreams = upstreamsFile.faults.length === 0
  const admins = readAdmins(wellFormed.ADMINS, hasUpstreams ? upstreamsFile.upstreams : undefined)
  const foreignCaFile = readPemFile(values.FOREIGN_ISSUER_CA_FILE as string | undefined)
  const redisCaFile = readPemFile(values.REDIS_CA_FILE as string | undefined)
  const logoFile = readLogoFile(values.BRAND_LOGO_FILE as string | undefined)
  const faults = [
    ...malformed.values(),
    ...crossed.filter((line) => !malformed.has(line.split(':', 1)[0] ?? '')),
    ...clientsFile.faults.map((line) => `OAUTH_CLIENTS_FILE: ${line}`),
    ...rulesFile.faults.map((line) => `RULES_FILE: ${line}`),
    ...upstreamsFile.faults.map((line) => `PROVIDERS_FILE: ${line}`),
    ...webhooksFile.faults.map((line) => `WEBHOOKS_FILE: ${line}`),
    ...admins.faults.map((line) => `ADMINS: ${line}`),
    ...foreignCaFile.faults.map((line) => `FOREIGN_ISSUER_CA_FILE: ${line}`),
    ...redisCaFile.faults.map((line) => `REDIS_CA_FILE: ${line}`),
    ...logoFile.faults.map((line) => `BRAND_LOGO_FILE: ${line}`)
  ]
  if (faults.length > 0) throw new ConfigError(faults)
  const env = values as Environment
  return assembleConfig(env, {
    clients: clientsFile.clients,
    overrides: clientsFile.overrides,
    resources: clientsFile.resources,
    rules: rulesFile.rules,
    upstreams: upstreamsFile.upstreams,
    webhooks: webhooksFile.webhooks,
    admins: admins.admins,
    foreignCa: foreignCaFile.pem,
    redisCa: redisCaFile.pem,
    logo: logoFile.svg,
    strayVariables: strayVariables(variables)
  })
}

function readValues(variables: Variables): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const [name, schema] of Object.entries<TSchema>(EnvironmentSchema.properties)) {
    const text = variables[name]?.trim()
    if (text === undefined || text === '') {
      if (schema.default !== undefined) values[name] = structuredClone(schema.default)
    } else {
      values[name] = readValue(schema, text)
    }
  }
  return values
}

function readValue(schema: TSchema, text: string): unknown {
  if (schema.type === 'integer') return /^-?\d+$/.test(text) ? Number(text) : text
  if (schema.type === 'array') return text.split(',').map((item) => item.trim())
  return text
}

/** The faults of single values, by the name of their variable. */
function shapeFaults(values: Record<string, unknown>): Map<string, string> {
  const faults = new Map<string, string>()
  for (const [name, schema] of Object.entries<TSchema>(EnvironmentSchema.properties)) {
    const isWrong = values[name] !== undefined && Errors(schema, values[name]).First() !== undefined
    if (isWrong) faults.set(name, `${name}: expected ${schema.expects}`)
  }
  return faults
}
