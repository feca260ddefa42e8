/**
 * Whether and where traces go, by the variables of the OpenTelemetry specification. What else it names (the sampler, headers, the
 * name of the service, sizes and times) is read from the environment of the process by the SDK, which src/tracing/ loads.
 */
import type { Environment } from '../../schemas/config.js'

export interface TracingConfig {
  readonly exporter: 'otlp' | 'console'
  readonly protocol: 'http/protobuf' | 'http/json'
  /** The URL that traces are sent to; undefined for the default of OTLP on this machine. */
  readonly url: string | undefined
}

/** Traces cost something, so a default of the specification does not turn them on: a variable does. */
function isOn(env: Environment): boolean {
  if (env.OTEL_SDK_DISABLED === 'true' || env.OTEL_TRACES_EXPORTER === 'none') return false
  return [env.OTEL_TRACES_EXPORTER, env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, env.OTEL_EXPORTER_OTLP_ENDPOINT].some(
    (value) => value !== undefined
  )
}

const exporterOf = (env: Environment) => (env.OTEL_TRACES_EXPORTER === 'console' ? 'console' : 'otlp')

/** The faults of these variables in combination: one line each, beginning with the variable's name. */
export function* tracingFaults(env: Environment): Generator<string> {
  if (!isOn(env) || exporterOf(env) === 'console') return
  const name = env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL
    ? 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'
    : 'OTEL_EXPORTER_OTLP_PROTOCOL'
  if (env[name] === 'grpc') {
    yield `${name}: traces are sent by http/protobuf or http/json, which collectors take at another port than grpc, 4318`
  }
}

export function assembleTracing(env: Environment): TracingConfig | undefined {
  if (!isOn(env)) return undefined
  const base = env.OTEL_EXPORTER_OTLP_ENDPOINT?.replace(/\/+$/, '')
  const protocol = env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? env.OTEL_EXPORTER_OTLP_PROTOCOL
  return {
    exporter: exporterOf(env),
    // `grpc` is a fault, but for the log.
    protocol: protocol === 'http/json' ? 'http/json' : 'http/protobuf',
    url: env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? (base === undefined ? undefined : `${base}/v1/traces`)
  }
}
