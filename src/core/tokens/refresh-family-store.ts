/**
 * The storage interface of refresh tokens. The id of a family is that of its authorization; tokens are passed as digests. Every
 * method is atomic and safe to repeat, and rejects with the fault `unavailable` when the storage cannot answer.
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
  /** Creates a family unless it exists. Resolves to the family as it is afterwards. */
  begin(familyId: string, family: RefreshFamily, keepUntilMs: number): Promise<RefreshFamily>
  find(familyId: string): Promise<RefreshFamily | undefined>
  /**
   * Judges a presented token by refresh-family.ts and, if it is the current one, replaces it. The caller must have verified
   * that the token was issued in this family.
   */
  rotate(familyId: string, presentedDigest: string, nextDigest: string): Promise<Rotation>
}
