/** What the admin pages say, in English alone: they are for the people who run the service, who read its logs and its manual in English. */
export const adminTexts = {
  nav: {
    label: 'Administration',
    search: 'Find a user',
    pending: 'Waiting',
    events: 'Events',
    account: 'Your account'
  },
  firstPage: 'First page',
  nextPage: 'Next page',

  search: {
    title: 'Find a user',
    intro: 'By one of these, or by several at once. What is typed does not get into the address of a page.',
    email: 'E-mail address',
    emailHint: 'As a provider told it, verified or not. Several users may have the same.',
    id: 'User id',
    provider: 'Provider',
    noProvider: 'none',
    subject: 'Subject there',
    subjectHint: 'With the provider: who somebody is there, as its ID token says it.',
    submit: 'Find',
    problems: {
      nobody: 'Nobody here is that.',
      incomplete: 'Fill in an address, an id, or a provider together with a subject.'
    },
    several: (count: number) => `${count} users are that`,
    more: 'There are more than are shown. Say an id, or a provider and a subject, as well.',
    unnamed: 'A user without a name'
  },

  user: {
    title: 'A user',
    id: 'Id',
    name: 'Name',
    email: 'E-mail',
    verified: 'verified',
    unverified: 'not verified',
    identities: 'Identity',
    blocked: 'Blocked since',
    self: 'This is you.',
    authorizations: 'Authorized programs',
    active: (active: number, awaiting: number) =>
      awaiting === 0 ? `${active} active` : `${active} active, ${awaiting} of them not collected yet`,
    noAuthorizations: 'No program may act for this user.',
    awaited: 'not collected yet',
    revoked: 'revoked',
    ended: 'ended',
    client: 'Client',
    scopes: 'Scopes',
    revoke: 'Revoke',
    revokeNamed: (name: string) => `Revoke ${name}`,
    connections: 'Connected accounts',
    noConnections: 'No account at another service is connected.',
    needsReconnect: 'has to be connected again',
    since: 'Connected',
    events: 'Last events',
    allEvents: 'All events of this user',
    measures: 'What can be done',
    revokeAll: 'Revoke everything',
    block: 'Block',
    unblock: 'Unblock'
  },

  confirm: {
    'revoke-all': {
      title: 'Revoke everything of this user?',
      text: 'Every program that may act for this user loses its access at once, collected or not, and all sessions on these pages end. That cannot be undone. The user can sign in and approve anew.',
      submit: 'Yes, revoke everything'
    },
    block: {
      title: 'Block this user?',
      text: 'From their next request on the user can neither sign in nor approve anything, and every token of theirs is refused, until they are unblocked. Nothing is revoked by it.',
      submit: 'Yes, block this user'
    },
    cancel: 'No, back to the user'
  },

  done: {
    revoked: 'Revoked. The program is refused from its next request on.',
    'revoked-all': 'Everything is revoked, and all sessions have ended.',
    blocked: 'The user is blocked.',
    unblocked: 'The user is blocked no more.',
    self: 'You cannot block yourself. Somebody else of the admins can.'
  },

  pending: {
    title: 'Waiting for a decision',
    intro: 'Questions of programs that nobody has answered yet. They end by themselves.',
    none: 'Nothing is waiting.',
    nothingHere: 'Of these, nothing is waiting any more.',
    byClient: 'By client',
    count: 'Waiting',
    oldest: 'The oldest began',
    each: 'One by one',
    grant: 'Grant',
    says: 'Calls itself',
    from: 'From',
    started: 'Began',
    ends: 'Ends'
  },

  events: {
    title: 'Events',
    none: 'No event is kept that is wanted.',
    noneHere: 'None of these so far, and there is more to look through.',
    type: 'Type',
    anyType: 'any',
    user: 'User id',
    filter: 'Show',
    by: 'By',
    client: 'Client',
    authorization: 'Authorization',
    grant: 'Grant',
    from: 'From',
    detail: 'Detail'
  }
} as const

export type AdminDone = keyof typeof adminTexts.done
