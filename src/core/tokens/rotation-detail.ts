/** How the event of a rotation names the new signing key in `detail`, and what a reader of an audit log finds there. */

const DETAIL = /^(\S+)(?: of provider (\S+))?$/

export interface Rotation {
  kid: string
  /** Whose key it is; undefined for one of the service itself. */
  issuerId?: string | undefined
}

export const namedRotation = ({ kid, issuerId }: Rotation): string =>
  issuerId === undefined ? kid : `${kid} of provider ${issuerId}`

/** Undefined if that is no such text, so that what cannot be read is taken for nobody's rotation. */
export function readRotationDetail(detail: string): Rotation | undefined {
  const [, kid, issuerId] = DETAIL.exec(detail) ?? []
  return kid === undefined ? undefined : { kid, issuerId }
}
