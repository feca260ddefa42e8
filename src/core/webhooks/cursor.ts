/** How far an endpoint has come in the trail, and what it missed there. */
import { Type } from '@sinclair/typebox'
import type { Place } from '../audit/trail-place.js'
import { jsonOf } from '../records/readable.js'

/** Everything up to this event is delivered, or waits in the storage. */
export type Cursor = Place

/** Events that the trail dropped before the endpoint had them: some of those between these times. */
export interface Gap {
  fromMs: number
  untilMs: number
}

/** How many gaps are remembered, the newest ones. */
export const MOST_GAPS = 20

export const readGaps = jsonOf<Gap[]>(Type.Array(Type.Object({ fromMs: Type.Number(), untilMs: Type.Number() })))
