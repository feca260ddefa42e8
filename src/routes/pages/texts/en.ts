/** Everything the pages say, in English. The other languages have the same shape: see languages.ts. */
export const en = {
  skipToContent: 'Skip to content',
  nav: {
    label: 'Your account',
    device: 'Enter a code',
    clients: 'Authorized programs',
    connections: 'Connected accounts',
    signOut: 'Sign out'
  },
  signedInAs: (name: string) => `Signed in as ${name}`,
  about: 'About these pages',
  version: (version: string) => `grantd ${version}, for trying out`,

  start: {
    title: 'Give a program access, with a code',
    intro: (service: string) =>
      `Programs on a command line, a television or another machine ask here for access to your account at ${service}. They show you a code; you enter it here, see who asks and for what, and decide.`,
    codeTitle: 'You have a code',
    codeSignIn: 'You are asked to sign in first. The code is kept.',
    noCodeTitle: 'You have no code',
    noCode: 'Then there is nothing to do here. You can look at what you have authorized, and take it back.',
    developerTitle: 'You are trying this service out',
    developer: 'It keeps everything in the memory of one process, and anybody may sign in by any name.',
    demo: 'Ask for access, as a program would: type this in a second terminal, in a checkout of grantd.',
    docs: 'Read and try the API',
    clients: 'See and revoke what was authorized'
  },

  device: {
    title: 'Enter the code',
    intro: 'A program on one of your devices shows a code of eight letters. Enter it here to see what it asks for.',
    label: 'Code',
    hint: 'Case, spaces and hyphens do not matter.',
    submit: 'Continue',
    linked: 'A link filled in this code. Compare it with your device before you go on.',
    invalid: 'This code is not valid or has expired. Check it on your device, or start there again for a new one.'
  },

  consent: {
    title: 'A device asks for access',
    compare: 'Does your device show the same code?',
    ifNot: 'If it shows another code, or you have no such device in front of you, deny.',
    warning: {
      title: 'Only approve what you started yourself',
      strongTitle: 'Be careful: this may be an attempt to get into your account',
      base: 'Deny if somebody sent you this code or this link, read it to you or told you to enter it, whoever they say they are. Nobody from support will ever ask for it.',
      linked: 'You came by a link: whoever made it filled in the code.',
      imitation:
        'What the program says about itself is written in a way that can mislead. It is marked under “Details”.',
      countries: (from: string, here: string) => `The request comes from ${from}, but you are in ${here}.`
    },
    who: 'You are signed in as',
    notYou: 'Not you? Sign out',
    program: 'Program',
    registered: 'registered with this service under this name',
    described: 'checked: the program is described there',
    describedAt: 'Described at',
    unchecked: 'not checked by anybody',
    details: 'Details',
    claimsIntro: 'What the program says about itself. Nobody has checked it.',
    claimedName: 'Calls itself',
    version: 'Version',
    hostname: 'Device',
    os: 'System',
    nothingClaimed: 'Nothing.',
    hidden: 'Contains characters that cannot be seen, shown here as \uFFFD.',
    lookalike: 'Contains letters of another alphabet that look like Latin ones.',
    asked: 'Asked',
    from: 'From',
    here: 'You are at',
    unknownPlace: 'place unknown',
    rights: 'It will be able to',
    optional: 'You may leave out',
    same: (code: string) => `My device shows ${code}, and I started this.`,
    approve: (name: string) => `Approve ${name}`,
    /** What the program calls itself, as a quotation. */
    quoted: (name: string) => `“${name}”`,
    deny: 'Deny',
    tooMany: (count: number) =>
      `${count} programs are authorized for your account, and more cannot be active at a time. Revoke one under “Authorized programs”, then approve here.`,
    confirmMissing: 'To approve, compare the code and tick the box that says your device shows it.',
    changed: 'What this program is called has changed since the page was shown. Look at it again.'
  },

  asking: {
    title: 'A program asks for access',
    warning:
      'Deny if you did not start this just now, or if somebody sent you the link that led here, whoever they say they are.',
    to: 'The answer goes to',
    toThisComputer: (name: string) => `a program on this computer (${name})`,
    toProgram: (scheme: string) => `the program on this device that opens ${scheme}`,
    sure: 'I started this myself just now.',
    sureMissing: 'To approve, tick the box that says you started this yourself.',
    approved: 'Your browser goes on by itself, and the program with it. If it does not, follow the link.',
    denied: 'The program gets nothing. Your browser goes back to it by itself. If it does not, follow the link.',
    goOn: (place: string) => `Go on to ${place}`,
    lost: 'This browser was not asked that, or too long ago, or it is answered already. Start again in the program.',
    notAsked: (host: string) =>
      `A program that is described at ${host} sent you here. Its request was refused before you were asked, and nothing was approved.`,
    notTrusted:
      'Nobody here knows the address where the program is to hear of that. Follow the link only if you were using it just now.',
    unknownClient:
      'The program that sent you here is not known to this service. Nothing was approved, and you are not sent back to it.',
    unknownRedirect:
      'The program that sent you here wants the answer at an address that is not registered for it. Nothing was approved, and you are not sent there.'
  },

  clientTypes: {
    cli: 'a command-line program',
    mcp: 'an MCP server',
    demo: 'a demonstration',
    'ide-plugin': 'a plug-in of a development environment',
    other: 'a program of another kind'
  },

  rights: {
    act: (service: string, span: string) => `act for you at ${service}, for ${span} or until you revoke it`,
    openid: 'know which account is yours',
    profile: 'read your name',
    email: 'read your e-mail address',
    offline_access: 'stay connected without asking you again',
    other: 'do what is called'
  },

  result: {
    approvedTitle: 'Approved',
    approved: 'Go back to your device: it goes on by itself within seconds. You can close this page.',
    lookAgain: 'Look again whether your device has it',
    collected: 'Your device has it. Go back to it; you can close this page.',
    undoIntro: 'Was that a mistake? Take it back, and the program is refused from its next request on.',
    undo: 'Take it back',
    manage: 'See everything you have authorized',
    deniedTitle: 'Denied',
    denied: 'The device gets nothing. You can close this page.',
    deniedAdvice:
      'If you did not start this yourself, somebody may have tried to get into your account. Nothing has happened to it.',
    refusedTitle: 'Not allowed',
    refused:
      'Whoever runs this service does not allow this request. Nothing was approved, and the program gets nothing.',
    withdrawnTitle: 'Withdrawn',
    withdrawn: 'The program has withdrawn its request. Nothing was approved.',
    withdrawnAdvice:
      'You can close this page. If you still want it, start again on your device: it shows you a new code.',
    lapsedTitle: 'Not collected',
    lapsed: 'The program did not collect your approval in time, so it has no access.',
    lapsedAdvice: 'You can close this page. If you still want it, start again on your device: it shows you a new code.',
    undoneTitle: 'Taken back',
    undone: 'The program has no access: whatever it was given is refused from now on.'
  },

  login: {
    title: 'Sign in',
    again: 'Sign in once more: this is about access to your account.',
    goingTo: {
      ask: 'Sign in to see what a program asks for.',
      device: 'Sign in to enter the code that your device shows.',
      consent: 'Sign in to see what a device asks for.',
      clients: 'Sign in to see the programs that you have authorized.',
      connections: 'Sign in to see the accounts that you have connected.'
    },
    with: (provider: string) => `Continue with ${provider}`,
    demoTitle: 'Demo sign-in',
    demo: 'This service keeps everything in the memory of one process on this computer and checks nobody’s identity: type any name to be that user. It does not exist in real operation.',
    demoName: 'Name',
    demoSubmit: 'Sign in as this user',
    demoInvalid: 'Type a name of 1 to 64 visible characters.',
    signedOut: 'You are signed out.'
  },

  logout: {
    title: 'Sign out',
    intro: 'This ends your session on these pages. Programs you have authorized are not affected.',
    submit: 'Sign out'
  },

  clients: {
    title: 'Authorized programs',
    intro: 'These programs may act for you, or could. Revoke whatever you do not recognize.',
    none: 'No program may act for you yet. When one shows you a code, enter it to see what it asks for. What you approve appears here at once.',
    active: 'Active',
    ended: 'Revoked and expired',
    unnamed: 'A program without a name',
    approvedHere: 'the one you approved just now',
    awaited: 'not collected by the program yet',
    kind: 'Kind',
    resources: 'For',
    version: 'Version',
    approvedOn: 'Approved',
    approvedFrom: 'from the address',
    lastUsed: 'Last used',
    neverUsed: 'never',
    expires: 'Ends',
    revokedOn: 'Revoked',
    expiredOn: 'Expired',
    collectBy: 'Can be collected until',
    lapsedOn: 'Never collected, lapsed',
    label: 'Your name for it',
    rename: 'Rename',
    revoke: 'Revoke',
    revokeNamed: (name: string) => `Revoke ${name}`,
    renameNamed: (name: string) => `Rename ${name}`,
    revokeAll: 'Revoke all',
    revokeAllIntro: (count: number) =>
      count === 1
        ? 'The program above loses its access at once.'
        : `All ${count} active programs lose their access at once, wherever they run.`,
    revokeAllConfirm: 'Yes, revoke all of them',
    nextPage: 'Next page',
    firstPage: 'First page',
    done: {
      renamed: 'Renamed.',
      revoked: 'Revoked. The program is refused from its next request on.',
      'revoked-all': 'All of them are revoked.'
    }
  },

  connections: {
    title: 'Connected accounts',
    intro: 'Accounts at other services that you have connected. Their tokens are kept encrypted.',
    none: 'You have not connected any account yet.',
    noneAdvice: 'Choose a service below. You sign in there and say what may be used.',
    noProviders: 'No other service can be connected here, so there is nothing to do on this page.',
    status: { connected: 'Connected', needs_reconnect: 'Has to be connected again' },
    scopes: 'May be used for',
    noScopes: 'not told by the service',
    since: 'Connected',
    signIn: 'Sign-in',
    uses: {
      first: 'You sign in with it.',
      chosen: 'You can sign in with it too.',
      connected: 'It does not sign you in.'
    },
    choose: { connected: 'Let me sign in with this account too', chosen: 'Do not sign me in with it any more' },
    chooseNamed: {
      connected: (name: string) => `Let me sign in with this account too: ${name}`,
      chosen: (name: string) => `Do not sign me in with it any more: ${name}`
    },
    disconnect: 'Disconnect',
    disconnectNamed: (name: string) => `Disconnect ${name}`,
    addTitle: 'Connect another account',
    connect: (provider: string) => `Connect ${provider}`,
    reconnect: (provider: string) => `Connect ${provider} again`,
    done: {
      connected: 'The account is connected.',
      disconnected: 'The account is disconnected, here and at the service.',
      'disconnected-here':
        'The account is disconnected here. The service could not confirm it: you can end the access in your settings there.',
      'signs-in': 'From now on you can sign in here with this account too.',
      'signs-in-no-more': 'You cannot sign in here with this account any more. It stays connected.',
      failed: 'The service says that it went wrong there. Nothing was connected.',
      denied: 'The service says that you did not agree. Nothing was connected.',
      invalid: 'The answer of the service did not belong to what was started here. Nothing was connected.',
      not_fresh: 'The service did not ask you to sign in again. Nothing was connected.',
      taken: 'This account already belongs to another user here. Nothing was connected.'
    }
  },

  error: {
    title: 'That did not work',
    signInFailed: {
      failed: 'The service could not sign you in. You can try again.',
      denied: 'The sign-in was cancelled. You can try again.',
      invalid: 'This sign-in was not started in this browser, or too long ago. Start it again.',
      not_fresh:
        'The service did not confirm that you signed in again just now. Try again. If that does not help, sign out both here and there, and sign in anew.',
      only_connected:
        'This account is connected to a user here, and does not sign anybody in. Sign in the way you did first. After that you can say under “Connected accounts” that this account signs you in too.'
    },
    badRequest: 'The request could not be read.',
    form: 'This form is too old or was not sent from this page. Go back and try again.',
    lostCookies:
      'Your browser sent no cookie back, so nobody can tell that this form is yours. Either it was open for too long: go back and load it again. Or your browser keeps no secure cookie of an address that begins with http://, as Safari does not even on this computer: use another browser, such as Chrome or Firefox, or an address that begins with https://.',
    forbidden: 'That is not allowed.',
    blocked:
      'Your account is blocked here: it can neither sign in nor approve anything. Ask whoever runs this service.',
    notFound: 'There is no such page.',
    method: 'This page cannot be used that way.',
    /** `when` is such as "in 30 seconds" or "in 5 minutes". */
    tooMany: (when: string) => `Too many attempts. Try again ${when}.`,
    unavailable: 'This is not possible right now. Try again in a moment.',
    internal: 'Something went wrong here. Nothing you did caused it.',
    reference: (id: string) => `If you ask for help, name this: ${id}`,
    home: 'Back to the start'
  }
}

export type Texts = typeof en
