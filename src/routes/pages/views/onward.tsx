import type { Visit } from '../visit.js'
import { placeOf } from './ask-page.js'
import { Layout } from './layout.js'

interface OnwardProps {
  visit: Visit
  /** The redirect URI with the answer. */
  url: string
  redirectUri: string
  action: 'approve' | 'deny'
}

/** Brings the answer to the program: the browser goes on by itself, or by the link. */
export function Onward({ visit, url, redirectUri, action }: OnwardProps) {
  const { asking, result } = visit.texts
  const isApproved = action === 'approve'
  return (
    <Layout
      visit={visit}
      title={isApproved ? result.approvedTitle : result.deniedTitle}
      isDone={isApproved}
      onward={url}
    >
      <p>{isApproved ? asking.approved : asking.denied}</p>
      <p>
        <a class="button primary" href={url}>
          <bdi>{asking.goOn(placeOf(redirectUri, visit))}</bdi>
        </a>
      </p>
    </Layout>
  )
}

interface NotAskedProps extends Pick<OnwardProps, 'visit' | 'url' | 'redirectUri'> {
  /** Where the client is described. */
  host: string
  /** The code of the error that the program learns of. */
  error: string
}

/** Refuses what was not even asked. Nobody vouches for where that would be told, so that the browser goes on by the link alone. */
export function NotAsked({ visit, url, redirectUri, host, error }: NotAskedProps) {
  const { asking } = visit.texts
  return (
    <Layout visit={visit} title={visit.texts.error.title}>
      <p>
        <bdi>{asking.notAsked(host)}</bdi> <code>{error}</code>
      </p>
      <p>{asking.notTrusted}</p>
      <p>
        <a href={url}>
          <bdi>{asking.goOn(placeOf(redirectUri, visit))}</bdi>
        </a>
      </p>
    </Layout>
  )
}
