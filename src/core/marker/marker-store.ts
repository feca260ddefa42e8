/**
 * The storage interface of the marker: one key that is written once, with an id, and counts up with every beat of every instance. An
 * instance that finds another marker, or its own last beat missing, has a storage that was emptied, replaced or restored.
 */

/** The beats of this many numbers are remembered by their tags. */
export const REMEMBERED_BEATS = 1_024

export interface Beat {
  /** The id of the marker. */
  marker: string
  number: number
  /** Random, so that a number that was given away twice tells them apart. */
  tag: string
}

export interface BeatReading {
  marker: string
  number: number
  /** When whichever instance beat before, by the storage's clock; undefined if the marker is new. */
  previousAtMs: number | undefined
  /** By the storage's clock. */
  nowMs: number
  /** The newest event of the trail when whichever instance beat before, as far as it was noted. */
  event: string | undefined
  /** Whether the marker has the beat that was handed in, or is too far on to tell; true without one. */
  hasLast: boolean
}

export interface MarkerStore {
  /**
   * Beats, and makes the marker with `newId` if there is none. Notes the newest event that the trail has. A repetition beats once more.
   * Rejects with `unavailable`.
   */
  beat(newId: string, tag: string, last: Beat | undefined, event: string | undefined): Promise<BeatReading>
}
