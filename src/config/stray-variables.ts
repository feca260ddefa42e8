/**
 * Variables that are not read and look as if they were meant to be, such as a misspelt one, whose default would otherwise hold without
 * a word. What other software may have there is left alone: a warning about that would teach operators to overlook all of them.
 */
import { EnvironmentSchema } from '../../schemas/config.js'

export interface StrayVariable {
  readonly name: string
  /** The variable that it may have been meant to be. */
  readonly meant: string | undefined
}

const OURS = Object.keys(EnvironmentSchema.properties)
/** What the examples and the documentation call theirs. */
const OF_EXAMPLES = ['GRANTD_URL', 'GRANTD_API_KEY']
/** What no other software begins a name with. REDIS_ is not among them, nor is SESSION_. */
const PREFIXES = ['GRANTD_', 'DASHBOARD_JWT', 'DASHBOARD_JWKS', 'OAUTH_CLIENTS', 'FOREIGN_ISSUER', 'LIMIT_']
/** What begins the names of Node.js, OpenTelemetry, npm and their like. */
const STANDARD = /^(?:OTEL|NODE|NPM|LC|XDG|SSH|KUBERNETES)_/
/** What Kubernetes and Docker tell of other services, and of one that is called grantd. */
const OF_SERVICES = /_(?:SERVICE_(?:HOST|PORT(?:_\w+)?)|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$/
const NAME = /^[A-Z][A-Z0-9_]{0,99}$/
/** Names of so few characters are a slip or two from a lot: HOST from HOME, and PORT from PATH. */
const SHORT = 5
/** In ADMINS and LIMITS two slips are a third of the word. */
const MIDDLING = 7
const MOST_TOLD = 20

/** Those of an environment, by name, each once. An empty one counts as absent. */
export function strayVariables(variables: Readonly<Record<string, string | undefined>>): StrayVariable[] {
  return Object.keys(variables)
    .filter((name) => variables[name]?.trim() && NAME.test(name) && !isKnown(name))
    .sort()
    .flatMap((name): StrayVariable[] => {
      const meant = nearestOf(name)
      return meant !== undefined || PREFIXES.some((prefix) => name.startsWith(prefix)) ? [{ name, meant }] : []
    })
    .slice(0, MOST_TOLD)
}

const isKnown = (name: string) =>
  OURS.includes(name) || OF_EXAMPLES.includes(name) || STANDARD.test(name) || OF_SERVICES.test(name)

/** How many slips of the keyboard a variable of ours is known by. */
const slipsOf = ({ length }: string) => (length <= SHORT ? 0 : length <= MIDDLING ? 1 : 2)

/** The variable of ours that a name differs from by a few slips at most. */
function nearestOf(name: string): string | undefined {
  const near = OURS.map((ours) => {
    const most = slipsOf(ours)
    const distance =
      Math.abs(ours.length - name.length) > most ? Number.POSITIVE_INFINITY : distanceOf(ours, name, most)
    return { ours, distance, isNear: distance <= most }
  })
  return near.filter(({ isNear }) => isNear).sort((a, b) => a.distance - b.distance)[0]?.ours
}

/**
 * The edit distance in which two neighbours that changed places count once (optimal string alignment); infinite where it is found to be
 * more than `most`.
 */
export function distanceOf(a: string, b: string, most = Number.POSITIVE_INFINITY): number {
  let [before, row]: [number[], number[]] = [[], Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1]
      const isSwapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const ways = [at(row, j) + 1, at(next, j - 1) + 1, at(row, j - 1) + (isSame ? 0 : 1)]
      next.push(Math.min(...ways, isSwapped ? at(before, j - 2) + 1 : Number.POSITIVE_INFINITY))
    }
    // Later rows have nothing smaller: a swap counts one more than a row that is at most one smaller than this.
    if (Math.min(...next) > most) return Number.POSITIVE_INFINITY
    before = row
    row = next
  }
  return at(row, b.length)
}

const at = (row: readonly number[], index: number) => row[index] ?? Number.POSITIVE_INFINITY
