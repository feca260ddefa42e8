/** The commands of the program by their words: what each takes, and what its usage says. arguments.ts reads a command line by it. */

/** What an option is followed by, as the usage calls it; '' for one that is followed by nothing. */
type Options = Readonly<Record<string, string>>

export interface CommandSpec {
  /** What it is followed by; what may be left out is in brackets. */
  readonly takes: readonly string[]
  readonly options: Options
  readonly says: readonly string[]
}

const RIGHTS = 'tokens, introspect, connected-accounts, admin:read, admin:write'

export const COMMANDS: Readonly<Record<string, CommandSpec>> = {
  'keys list': {
    takes: [],
    options: { json: '' },
    says: ['the signing keys, and from when each of them signs']
  },
  'keys rotate': {
    takes: [],
    options: { now: '', json: '' },
    says: [
      'makes a new signing key: it is published at once and signs some minutes later,',
      'when everybody has had time to fetch it; with --now it signs at once'
    ]
  },
  'clients secret': {
    takes: [],
    options: { json: '' },
    says: ['makes a secret for an OAuth client, and the digest of it for OAUTH_CLIENTS_FILE']
  },
  'clients list': {
    takes: [],
    options: { user: 'ID', 'client-id': 'ID', 'client-type': 'TYPE', revoked: '', active: '', limit: 'N', json: '' },
    says: ['what users have granted: of one of them, or of all in no order, which looks at everything']
  },
  'clients show': { takes: ['ID'], options: { json: '' }, says: ['one authorization, whosever it is'] },
  'clients revoke': { takes: ['ID'], options: { json: '' }, says: ['revokes it, from the next request on'] },
  'users find': {
    takes: [],
    options: { email: 'ADDRESS', id: 'ID', provider: 'ID', subject: 'SUBJECT', json: '' },
    says: ['who somebody is here: by address, by id, or by provider and subject']
  },
  'users show': { takes: ['ID'], options: { json: '' }, says: ['a user, and what they have granted'] },
  'users block': {
    takes: ['ID'],
    options: { json: '' },
    says: ['no sign-in, approval, refresh or collection from now on; tokens are called inactive']
  },
  'users unblock': { takes: ['ID'], options: { json: '' }, says: ['what was not revoked meanwhile is valid again'] },
  'users revoke-all': {
    takes: ['ID'],
    options: { json: '' },
    says: ['revokes all that they have granted, collected or not, and ends their sessions']
  },
  'users index': {
    takes: [],
    options: { json: '' },
    says: ['completes the indexes with what versions without them have stored; once, after the update']
  },
  'grants pending': {
    takes: [],
    options: { limit: 'N', json: '' },
    says: ['what waits for a decision: how many by client, and which']
  },
  events: {
    takes: [],
    options: { follow: '', type: 'TYPE', user: 'ID', after: 'ID', limit: 'N', json: '' },
    says: [
      'the audit trail: its end, or what comes after an event; with --follow it goes on until it is',
      'stopped, and with --json it is one line of JSON for each event'
    ]
  },
  'api-keys create': {
    takes: ['ACCOUNT'],
    options: { rights: 'RIGHT,RIGHT', label: 'TEXT', 'expires-in-days': 'N', json: '' },
    says: [
      'makes an API key for a back end and shows it, this once; without --rights it is',
      `for the tokens API alone; there are ${RIGHTS}`
    ]
  },
  'api-keys list': { takes: ['ACCOUNT'], options: { json: '' }, says: ['the keys of an account'] },
  'api-keys rights': {
    takes: ['ACCOUNT', 'ID'],
    options: { rights: 'RIGHT,RIGHT', json: '' },
    says: ['what a key may do from now on']
  },
  'api-keys revoke': { takes: ['ACCOUNT', 'ID'], options: { json: '' }, says: ['for good, from the next request on'] },
  'providers rotate-key': {
    takes: ['PROVIDER_ID'],
    options: { now: '', json: '' },
    says: ['the same as keys rotate, for a provider of the tokens API']
  },
  'restore check': {
    takes: [],
    options: { 'revoked-from': 'FILE', since: 'TIME', 'keep-api-keys': '', json: '' },
    says: ['counts what a backup has brought back and must not be good again; ends with 3 if there is any']
  },
  'restore clean': {
    takes: [],
    options: { 'revoked-from': 'FILE', since: 'TIME', 'keep-api-keys': '', json: '' },
    says: [
      'ends it; with the lines of an audit log (AUDIT_LOG) and the time of the backup no more than',
      'what was revoked since'
    ]
  },
  'epoch begin': {
    takes: [],
    options: { before: 'TIME', 'api-keys': '', json: '' },
    says: [
      'ends whatever was issued before now, or before a time: client JWTs, refresh tokens,',
      'approvals, sessions of the pages, with --api-keys API keys as well'
    ]
  },
  'webhooks list': {
    takes: [],
    options: { json: '' },
    says: ['how far each webhook of WEBHOOKS_FILE has come, what waits, what it missed']
  },
  'webhooks failed': {
    takes: [],
    options: { json: '' },
    says: ['the events that were given up after three days']
  },
  'webhooks resend': {
    takes: ['[ID]'],
    options: { all: '', json: '' },
    says: ['sends one of them again, or all']
  },
  'webhooks resume': {
    takes: ['WEBHOOK'],
    options: { json: '' },
    says: ['lets a webhook go on that was stopped because its receiver answered 410']
  }
}
