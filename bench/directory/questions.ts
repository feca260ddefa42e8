/** What operators ask the admin API, each time about somebody else, and how its answer is known to be right. */
import type { Person } from './fill.js'

export interface Question {
  name: string
  next(): Asked
}

interface Asked {
  /** The requests that it takes, one after the other. */
  paths: string[]
  isRight(answers: Body[]): boolean
}

export interface Body {
  id?: string
  data?: { id: string; user_id?: string; type?: string }[]
  next_cursor?: string
}

export interface Filled {
  people: readonly Person[]
  /** How many authorizations each of them has. */
  each: number
  /** Whoever is in the trail, a few times. */
  told: readonly string[]
  /** When the trail was told. */
  fromMs: number
  toMs: number
}

const PAGE = 50
const NOBODY = '00000000-0000-4000-8000-000000000000'

export function questionsOf({ people, each, told, fromMs, toMs }: Filled): Question[] {
  const oneOf = <T>(all: readonly T[]) => all[Math.floor(Math.random() * all.length)] as T
  /** Somewhere in the newer half, so that there is enough to look through. */
  const place = () => `before=${Math.floor(toMs - (Math.random() * (toMs - fromMs)) / 2)}-0`

  const users = (name: string, query: (person: Person) => Record<string, string>): Question => ({
    name: `users by ${name}`,
    next() {
      const person = oneOf(people)
      const isRight = ([body]: Body[]) => body?.data?.length === 1 && body.data[0]?.id === person.userId
      return { paths: [`/users?${new URLSearchParams(query(person))}`], isRight }
    }
  })

  const trail = (name: string, query: () => string, isRight: (body: Required<Body>) => boolean): Question => ({
    name: `the trail, ${name}`,
    next: () => ({
      paths: [`/events?${place()}${query()}`],
      isRight: ([body]) => body !== undefined && isRight(body as Required<Body>)
    })
  })

  return [
    users('e-mail', ({ email }) => ({ email })),
    users('id', ({ userId: id }) => ({ id })),
    users('identity', ({ upstreamId: provider, subject }) => ({ provider, subject })),
    show(`a user with ${each} authorizations`, () => oneOf(people).userId, each),
    trail(
      `${PAGE} events`,
      () => '',
      ({ data }) => data.length === PAGE
    ),
    trail(
      '200 events',
      () => '&limit=200',
      ({ data }) => data.length === 200
    ),
    trail(
      'a type that is frequent',
      () => '&type=grant.approved',
      ({ data }) => data.length > 0 && data.every(({ type }) => type === 'grant.approved')
    ),
    trail(
      'a type that is rare',
      () => '&type=user.blocked',
      ({ data }) => data.every(({ type }) => type === 'user.blocked')
    ),
    trail(
      'a user who is rare',
      () => `&user_id=${oneOf(told)}`,
      ({ data }) => data.length <= PAGE
    ),
    trail(
      'a user who is not in it',
      () => `&user_id=${NOBODY}`,
      ({ data, next_cursor }) => data.length === 0 && next_cursor !== undefined
    )
  ]
}

/** A user and the first page of what they have granted. */
export const show = (name: string, userOf: () => string, authorizations: number): Question => ({
  name,
  next() {
    const userId = userOf()
    return {
      paths: [`/users/${userId}`, `/users/${userId}/clients`],
      isRight: ([user, clients]) => user?.id === userId && clients?.data?.length === Math.min(authorizations, PAGE)
    }
  }
})

/** A walk through the whole trail that finds nothing begins with this page. */
export const FRUITLESS = `/events?order=newest&user_id=${NOBODY}`
