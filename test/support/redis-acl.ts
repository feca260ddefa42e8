/**
 * The Redis user of deploy/redis/grantd.acl. A test that passes with this user shows that grantd needs no further
 * permission.
 */

import { readFileSync } from 'node:fs'
import type { RedisServer } from './redis-server.js'
import { inRoot } from './root.js'

export interface RedisUser {
  username: string
  password: string
}

const FILE = inRoot('deploy/redis/grantd.acl')

/** Creates the user on these servers, with a password. */
export async function addRedisUser(servers: readonly RedisServer[], password: string): Promise<RedisUser> {
  const [, username, rules] = /^user (\S+) (.+)$/m.exec(readFileSync(FILE, 'utf8')) ?? []
  if (!username || !rules) throw new Error('the file describes no user')
  for (const { client } of servers) {
    await client.call('ACL', 'SETUSER', username, 'reset', `>${password}`, ...rules.split(' '))
  }
  return { username, password }
}
