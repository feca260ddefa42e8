/** How a loss of data is noticed, and who is told. */

/**
 * `replaced`: the marker is another one. `gone_back`: a beat of this instance is missing. `trail_lost`: the trail has gone back behind an
 * event that the marker knows. `paused`: at the start, nobody has beaten for minutes. `unmarked`: at the start, there are keys of before
 * and no marker.
 */
export type DataLoss = 'replaced' | 'gone_back' | 'trail_lost' | 'paused' | 'unmarked'

export interface DataWatchEvents {
  dataLost(how: DataLoss, detail: string): void
  /** A beat failed, for another reason than an unreachable storage. */
  beatFailed(error: unknown): void
}
