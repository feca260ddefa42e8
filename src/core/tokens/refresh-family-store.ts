/**
 * What refresh tokens need from storage. Families are named by their authorized client, tokens come as digests. Every method
 * is atomic, safe to apply twice, and rejects with the fault `unavailable` when it could not look.
 */

export interface RefreshFamily {
  userId: string
  currentDigest: string
}

export type Rotation =
  | { kind: 'rotated'; currentDigest: string }
  | { kind: 'repeated'; currentDigest: string }
  | { kind: 'replayed' | 'refused' | 'unknown' }

export interface RefreshFamilyStore {
  /** Begins a family, unless it has begun. Answers with what is there afterwards. */
  begin(familyId: string, family: RefreshFamily, keepUntilMs: number): Promise<RefreshFamily>
  find(familyId: string): Promise<RefreshFamily | undefined>
  /** Judges a token that is known to be of this family by the rules of refresh-family.ts, and rotates the current one. */
  rotate(familyId: string, presentedDigest: string, nextDigest: string): Promise<Rotation>
}
