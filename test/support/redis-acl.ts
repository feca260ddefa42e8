/**
 * The Redis users of deploy/redis: the service's, and the administrator. A test that passes with one of them shows that no further
 * permission is needed.
 */

import { readFileSync } from 'node:fs'
import type { RedisServer } from './redis-server.js'
import { inRoot } from './root.js'

export interface RedisUser {
  username: string
  password: string
}

/** Creates the service's user on these servers, with a password. */
export const addRedisUser = (servers: readonly RedisServer[], password: string) =>
  addUserOf('grantd.acl', servers, password)

/** The same for the administrator. */
export const addRedisAdministrator = (servers: readonly RedisServer[], password: string) =>
  addUserOf('grantd-admin.acl', servers, password)

async function addUserOf(file: string, servers: readonly RedisServer[], password: string): Promise<RedisUser> {
  const [, username, rules] = /^user (\S+) (.+)$/m.exec(readFileSync(inRoot(`deploy/redis/${file}`), 'utf8')) ?? []
  if (!username || !rules) throw new Error('the file describes no user')
  for (const { client } of servers) {
    await client.call('ACL', 'SETUSER', username, 'reset', `>${password}`, ...rules.split(' '))
  }
  return { username, password }
}
