/** How the verifier asks an issuer: with credentials if there are some, to no other address than the one named, and not for ever. */

/** Of the API itself: an API key with the right `introspect`, or id and secret of a confidential client. */
export type Credentials = { apiKey: string } | { clientId: string; clientSecret: string }

/** The issuer answered, but not with what was asked for. */
export interface AnswerError extends Error {
  status: number
  retryAfterMs: number | undefined
}

/** How long an answer that is not held may take. */
export const ANSWER_WITHIN_MS = 5_000
/** The length cap of an answer, uncompressed. A page of the feed has some hundred kilobytes, and nothing else has more. */
const LONGEST_ANSWER = 4 * 1_024 * 1_024

/** The value of `Authorization`. RFC 6749 §2.3.1: id and secret are form-encoded before they become user and password. */
export function authorizationOf(credentials: Credentials): string {
  if ('apiKey' in credentials) return `Bearer ${credentials.apiKey}`
  const [user, password] = [credentials.clientId, credentials.clientSecret].map((text) =>
    new URLSearchParams({ x: text }).toString().slice(2)
  )
  return `Basic ${btoa(`${user}:${password}`)}`
}

/** Throws what is no 200, and what is no JSON, as an AnswerError. */
export async function expectJson(response: Response): Promise<unknown> {
  const text = await textOf(response)
  try {
    return JSON.parse(text)
  } catch {
    throw answerError(response, `${pathOf(response)} answered with something else than JSON`)
  }
}

/** The body of a 200. Throws any other answer as an AnswerError, and one that is too long. */
export async function textOf(response: Response): Promise<string> {
  const { status, body } = response
  if (status !== 200) {
    await body?.cancel()
    throw answerError(response, `${pathOf(response)} answered ${status}`)
  }
  const decoder = new TextDecoder()
  let [text, length] = ['', 0]
  for await (const piece of body ?? []) {
    length += piece.length
    // Leaving the loop ends the answer.
    if (length > LONGEST_ANSWER) throw answerError(response, `${pathOf(response)} answered with too much`)
    text += decoder.decode(piece, { stream: true })
  }
  return text + decoder.decode()
}

const pathOf = ({ url }: Response) => (URL.canParse(url) ? new URL(url).pathname : url)

export function answerError(response: Response, message: string): AnswerError {
  const retryAfterMs = retryAfterOf(response.headers.get('retry-after'))
  return Object.assign(new Error(message), { status: response.status, retryAfterMs })
}

export function isAnswerError(error: unknown): error is AnswerError {
  return error instanceof Error && 'retryAfterMs' in error
}

/** RFC 9110 §10.2.3: seconds, or a date. */
function retryAfterOf(value: string | null): number | undefined {
  if (value === null) return undefined
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.now()
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
