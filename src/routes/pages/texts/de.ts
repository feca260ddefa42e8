import type { Texts } from './en.js'

export const de: Texts = {
  skipToContent: 'Zum Inhalt springen',
  nav: {
    label: 'Ihr Konto',
    device: 'Code eingeben',
    clients: 'Berechtigte Programme',
    connections: 'Verbundene Konten',
    signOut: 'Abmelden'
  },
  signedInAs: (name) => `Angemeldet als ${name}`,
  about: 'Über diese Seiten',
  version: (version) => `grantd ${version}, zum Ausprobieren`,

  start: {
    title: 'Einem Programm mit einem Code Zugriff geben',
    intro: (service) =>
      `Programme auf einer Kommandozeile, einem Fernseher oder einem anderen Rechner bitten hier um Zugriff auf Ihr Konto bei ${service}. Das Programm zeigt Ihnen einen Code; Sie geben ihn hier ein, sehen, wer worum bittet, und entscheiden.`,
    codeTitle: 'Sie haben einen Code',
    codeSignIn: 'Vorher melden Sie sich an. Der Code bleibt erhalten.',
    noCodeTitle: 'Sie haben keinen Code',
    noCode: 'Dann ist hier nichts zu tun. Sie können ansehen, was Sie berechtigt haben, und es zurücknehmen.',
    developerTitle: 'Sie probieren diesen Dienst aus',
    developer: 'Er hält alles im Speicher eines Prozesses, und jeder darf sich unter jedem Namen anmelden.',
    demo: 'Bitten Sie um Zugriff, wie ein Programm es täte: Geben Sie das in einem zweiten Terminal ein, im Quellordner von grantd.',
    docs: 'Die API lesen und ausprobieren',
    clients: 'Ansehen und widerrufen, was berechtigt wurde'
  },

  device: {
    title: 'Code eingeben',
    intro:
      'Ein Programm auf einem Ihrer Geräte zeigt einen Code aus acht Buchstaben. Geben Sie ihn hier ein, um zu sehen, worum es bittet.',
    label: 'Code',
    hint: 'Groß- und Kleinschreibung, Leerzeichen und Bindestriche sind egal.',
    submit: 'Weiter',
    linked: 'Diesen Code hat ein Link eingetragen. Vergleichen Sie ihn mit Ihrem Gerät, bevor Sie fortfahren.',
    invalid:
      'Dieser Code ist ungültig oder abgelaufen. Prüfen Sie ihn auf Ihrem Gerät, oder lassen Sie sich dort einen neuen geben.'
  },

  consent: {
    title: 'Ein Gerät bittet um Zugriff',
    compare: 'Zeigt Ihr Gerät denselben Code?',
    ifNot: 'Zeigt es einen anderen, oder haben Sie kein solches Gerät vor sich, dann lehnen Sie ab.',
    warning: {
      title: 'Stimmen Sie nur zu, wenn Sie das selbst begonnen haben',
      strongTitle: 'Vorsicht: Das kann ein Versuch sein, in Ihr Konto zu gelangen',
      base: 'Lehnen Sie ab, wenn Ihnen jemand diesen Code oder diesen Link geschickt, vorgelesen oder Sie zur Eingabe aufgefordert hat, für wen auch immer sich diese Person ausgibt. Der Kundendienst fragt nie danach.',
      linked: 'Sie sind über einen Link gekommen: Wer ihn gemacht hat, hat den Code eingetragen.',
      imitation:
        'Was das Programm über sich selbst sagt, ist so geschrieben, dass es täuschen kann. Unter „Einzelheiten“ ist es gekennzeichnet.',
      countries: (from, here) => `Die Anfrage kommt von hier: ${from}. Sie selbst sind hier: ${here}.`
    },
    who: 'Sie sind angemeldet als',
    notYou: 'Nicht Sie? Abmelden',
    program: 'Programm',
    registered: 'unter diesem Namen bei diesem Dienst registriert',
    described: 'geprüft: Das Programm ist dort beschrieben',
    describedAt: 'Beschrieben unter',
    unchecked: 'von niemandem geprüft',
    details: 'Einzelheiten',
    claimsIntro: 'Was das Programm über sich selbst sagt. Niemand hat es geprüft.',
    claimedName: 'Nennt sich',
    version: 'Version',
    hostname: 'Gerät',
    os: 'System',
    nothingClaimed: 'Nichts.',
    hidden: 'Enthält Zeichen, die man nicht sehen kann; sie stehen hier als \uFFFD.',
    lookalike: 'Enthält Buchstaben einer anderen Schrift, die lateinischen gleichen.',
    asked: 'Angefragt',
    from: 'Von',
    here: 'Sie sind hier',
    unknownPlace: 'Ort unbekannt',
    rights: 'Es darf dann',
    optional: 'Das können Sie weglassen',
    same: (code) => `Mein Gerät zeigt ${code}, und ich habe das begonnen.`,
    approve: (name) => `Zustimmen: ${name}`,
    quoted: (name) => `„${name}“`,
    deny: 'Ablehnen',
    tooMany: (count) =>
      `Für Ihr Konto sind ${count} Programme berechtigt, mehr sind zugleich nicht möglich. Widerrufen Sie eines unter „Berechtigte Programme“ und stimmen Sie dann hier zu.`,
    confirmMissing: 'Um zuzustimmen, vergleichen Sie den Code und kreuzen Sie an, dass Ihr Gerät ihn zeigt.',
    changed: 'Der Name des Programms hat sich geändert, seit die Seite gezeigt wurde. Sehen Sie noch einmal hin.'
  },

  asking: {
    title: 'Ein Programm bittet um Zugriff',
    warning:
      'Lehnen Sie ab, wenn Sie das nicht gerade eben selbst begonnen haben oder wenn Ihnen jemand den Link hierher geschickt hat, für wen auch immer sich diese Person ausgibt.',
    to: 'Die Antwort geht an',
    toThisComputer: (name) => `ein Programm auf diesem Rechner (${name})`,
    toProgram: (scheme) => `das Programm auf diesem Gerät, das ${scheme} öffnet`,
    sure: 'Ich habe das gerade eben selbst begonnen.',
    sureMissing: 'Um zuzustimmen, kreuzen Sie an, dass Sie das selbst begonnen haben.',
    approved: 'Ihr Browser geht von selbst weiter und mit ihm das Programm. Wenn nicht, folgen Sie dem Link.',
    denied:
      'Das Programm bekommt nichts. Ihr Browser kehrt von selbst dorthin zurück. Wenn nicht, folgen Sie dem Link.',
    goOn: (place) => `Weiter: ${place}`,
    lost: 'Danach wurde in diesem Browser nicht gefragt, oder vor zu langer Zeit, oder es ist schon beantwortet. Beginnen Sie im Programm noch einmal.',
    notAsked: (host) =>
      `Ein Programm, das bei ${host} beschrieben ist, hat Sie hierher geschickt. Seine Anfrage wurde abgelehnt, bevor Sie gefragt wurden, und es wurde nichts erlaubt.`,
    notTrusted:
      'Niemand hier kennt die Adresse, an der es das erfahren soll. Folgen Sie dem Link nur, wenn Sie dieses Programm gerade eben benutzt haben.',
    unknownClient:
      'Das Programm, von dem Sie kommen, ist diesem Dienst nicht bekannt. Es wurde nichts erlaubt, und Sie werden nicht dorthin zurückgeschickt.',
    unknownRedirect:
      'Das Programm, von dem Sie kommen, will die Antwort an eine Adresse haben, die nicht dafür eingetragen ist. Es wurde nichts erlaubt, und Sie werden nicht dorthin geschickt.'
  },

  clientTypes: {
    cli: 'ein Programm für die Kommando\u00ADzeile',
    mcp: 'ein MCP-Server',
    demo: 'eine Vorführung',
    'ide-plugin': 'eine Erweiterung einer Entwicklungs\u00ADumgebung',
    other: 'ein Programm anderer Art'
  },

  rights: {
    act: (service, span) => `bei ${service} für Sie handeln, ${span} lang oder bis Sie es widerrufen`,
    openid: 'wissen, welches Konto Ihres ist',
    profile: 'Ihren Namen lesen',
    email: 'Ihre E-Mail-Adresse lesen',
    offline_access: 'verbunden bleiben, ohne Sie erneut zu fragen',
    other: 'tun, was so heißt:'
  },

  result: {
    approvedTitle: 'Zugestimmt',
    approved:
      'Gehen Sie zurück zu Ihrem Gerät: Dort geht es in wenigen Sekunden von selbst weiter. Diese Seite können Sie schließen.',
    lookAgain: 'Noch einmal nachsehen, ob Ihr Gerät es hat',
    collected: 'Ihr Gerät hat es. Gehen Sie zu ihm zurück; diese Seite können Sie schließen.',
    undoIntro:
      'War das ein Versehen? Nehmen Sie es zurück, und das Programm wird ab seiner nächsten Anfrage abgewiesen.',
    undo: 'Zurücknehmen',
    manage: 'Alles ansehen, was Sie berechtigt haben',
    deniedTitle: 'Abgelehnt',
    denied: 'Das Gerät bekommt nichts. Diese Seite können Sie schließen.',
    deniedAdvice:
      'Haben Sie das nicht selbst begonnen, hat vielleicht jemand versucht, in Ihr Konto zu gelangen. Es ist nichts damit geschehen.',
    refusedTitle: 'Nicht erlaubt',
    refused:
      'Wer diesen Dienst betreibt, erlaubt diese Anfrage nicht. Es wurde nichts genehmigt, und das Programm bekommt nichts.',
    withdrawnTitle: 'Zurückgezogen',
    withdrawn: 'Das Programm hat seine Anfrage zurückgezogen. Es wurde nichts genehmigt.',
    withdrawnAdvice:
      'Diese Seite können Sie schließen. Wollen Sie es doch, beginnen Sie auf Ihrem Gerät von vorn: Es zeigt Ihnen einen neuen Code.',
    lapsedTitle: 'Nicht abgeholt',
    lapsed: 'Das Programm hat Ihre Genehmigung nicht rechtzeitig abgeholt und hat darum keinen Zugriff.',
    lapsedAdvice:
      'Diese Seite können Sie schließen. Wollen Sie es noch, beginnen Sie auf Ihrem Gerät von vorn: Es zeigt Ihnen einen neuen Code.',
    undoneTitle: 'Zurückgenommen',
    undone: 'Das Programm hat keinen Zugriff: Was immer es bekommen hat, wird ab jetzt abgewiesen.'
  },

  login: {
    title: 'Anmelden',
    again: 'Melden Sie sich noch einmal an: Es geht um den Zugriff auf Ihr Konto.',
    goingTo: {
      ask: 'Melden Sie sich an, um zu sehen, worum ein Programm bittet.',
      device: 'Melden Sie sich an, um den Code einzugeben, den Ihr Gerät zeigt.',
      consent: 'Melden Sie sich an, um zu sehen, worum ein Gerät bittet.',
      clients: 'Melden Sie sich an, um die Programme zu sehen, die Sie berechtigt haben.',
      connections: 'Melden Sie sich an, um die Konten zu sehen, die Sie verbunden haben.'
    },
    with: (provider) => `Weiter mit ${provider}`,
    demoTitle: 'Anmeldung zum Ausprobieren',
    demo: 'Dieser Dienst hält alles im Speicher eines Prozesses auf diesem Rechner und prüft niemanden: Geben Sie irgendeinen Namen ein, um diese Person zu sein. Im echten Betrieb gibt es das nicht.',
    demoName: 'Name',
    demoSubmit: 'Als diese Person anmelden',
    demoInvalid: 'Geben Sie einen Namen aus 1 bis 64 sichtbaren Zeichen ein.',
    signedOut: 'Sie sind abgemeldet.'
  },

  logout: {
    title: 'Abmelden',
    intro: 'Das beendet Ihre Sitzung auf diesen Seiten. Programme, die Sie berechtigt haben, betrifft es nicht.',
    submit: 'Abmelden'
  },

  clients: {
    title: 'Berechtigte Programme',
    intro: 'Diese Programme dürfen oder durften für Sie handeln. Widerrufen Sie, was Sie nicht kennen.',
    none: 'Noch darf kein Programm für Sie handeln. Zeigt Ihnen eines einen Code, geben Sie ihn ein, um zu sehen, worum es bittet. Was Sie genehmigen, steht sofort hier.',
    active: 'Aktiv',
    ended: 'Widerrufen und abgelaufen',
    unnamed: 'Ein Programm ohne Namen',
    approvedHere: 'dem haben Sie gerade zugestimmt',
    awaited: 'vom Programm noch nicht abgeholt',
    kind: 'Art',
    resources: 'Für',
    version: 'Version',
    approvedOn: 'Zugestimmt',
    approvedFrom: 'von der Adresse',
    lastUsed: 'Zuletzt benutzt',
    neverUsed: 'nie',
    expires: 'Endet',
    revokedOn: 'Widerrufen',
    expiredOn: 'Abgelaufen',
    collectBy: 'Kann abgeholt werden bis',
    lapsedOn: 'Nie abgeholt, verfallen',
    label: 'Ihr Name dafür',
    rename: 'Umbenennen',
    revoke: 'Widerrufen',
    revokeNamed: (name) => `${name} widerrufen`,
    renameNamed: (name) => `${name} umbenennen`,
    revokeAll: 'Alle widerrufen',
    revokeAllIntro: (count) =>
      count === 1
        ? 'Das Programm oben verliert seinen Zugriff sofort.'
        : `Alle ${count} aktiven Programme verlieren ihren Zugriff sofort, wo immer sie laufen.`,
    revokeAllConfirm: 'Ja, alle widerrufen',
    nextPage: 'Nächste Seite',
    firstPage: 'Erste Seite',
    done: {
      renamed: 'Umbenannt.',
      revoked: 'Widerrufen. Das Programm wird ab seiner nächsten Anfrage abgewiesen.',
      'revoked-all': 'Alle sind widerrufen.'
    }
  },

  connections: {
    title: 'Verbundene Konten',
    intro: 'Konten bei anderen Diensten, die Sie verbunden haben. Ihre Token werden verschlüsselt aufbewahrt.',
    none: 'Sie haben noch kein Konto verbunden.',
    noneAdvice: 'Wählen Sie unten einen Dienst. Sie melden sich dort an und sagen, was benutzt werden darf.',
    noProviders: 'Hier lässt sich kein anderer Dienst verbinden, auf dieser Seite ist also nichts zu tun.',
    status: { connected: 'Verbunden', needs_reconnect: 'Muss neu verbunden werden' },
    scopes: 'Darf benutzt werden für',
    noScopes: 'vom Dienst nicht mitgeteilt',
    since: 'Verbunden',
    signIn: 'Anmelden',
    uses: {
      first: 'Damit melden Sie sich an.',
      chosen: 'Auch damit können Sie sich anmelden.',
      connected: 'Damit werden Sie nicht angemeldet.'
    },
    choose: { connected: 'Ich will mich auch damit anmelden', chosen: 'Damit nicht mehr anmelden' },
    chooseNamed: {
      connected: (name) => `Ich will mich auch damit anmelden: ${name}`,
      chosen: (name) => `Damit nicht mehr anmelden: ${name}`
    },
    disconnect: 'Trennen',
    disconnectNamed: (name) => `${name} trennen`,
    addTitle: 'Weiteres Konto verbinden',
    connect: (provider) => `${provider} verbinden`,
    reconnect: (provider) => `${provider} neu verbinden`,
    done: {
      connected: 'Das Konto ist verbunden.',
      disconnected: 'Das Konto ist getrennt, hier und beim Dienst.',
      'disconnected-here':
        'Das Konto ist hier getrennt. Der Dienst konnte es nicht bestätigen: Sie können den Zugriff dort in Ihren Einstellungen beenden.',
      'signs-in': 'Von jetzt an können Sie sich hier auch mit diesem Konto anmelden.',
      'signs-in-no-more': 'Mit diesem Konto können Sie sich hier nicht mehr anmelden. Es bleibt verbunden.',
      failed: 'Der Dienst meldet, dass dort etwas schiefging. Es wurde nichts verbunden.',
      denied: 'Der Dienst meldet, dass Sie nicht zugestimmt haben. Es wurde nichts verbunden.',
      invalid: 'Die Antwort des Dienstes gehörte nicht zu dem, was hier begonnen wurde. Es wurde nichts verbunden.',
      not_fresh: 'Der Dienst hat Sie nicht neu anmelden lassen. Es wurde nichts verbunden.',
      taken: 'Dieses Konto gehört hier schon zu einer anderen Person. Es wurde nichts verbunden.'
    }
  },

  error: {
    title: 'Das hat nicht geklappt',
    signInFailed: {
      failed: 'Der Dienst konnte Sie nicht anmelden. Sie können es noch einmal versuchen.',
      denied: 'Die Anmeldung wurde abgebrochen. Sie können es noch einmal versuchen.',
      invalid: 'Diese Anmeldung wurde nicht in diesem Browser begonnen, oder vor zu langer Zeit. Beginnen Sie neu.',
      not_fresh:
        'Der Dienst hat nicht bestätigt, dass Sie sich eben neu angemeldet haben. Versuchen Sie es noch einmal. Hilft das nicht, melden Sie sich hier und dort ab und neu an.',
      only_connected:
        'Dieses Konto ist hier mit jemandem verbunden und meldet niemanden an. Melden Sie sich so an wie beim ersten Mal. Danach können Sie unter „Verbundene Konten“ sagen, dass Sie sich auch mit diesem Konto anmelden wollen.'
    },
    badRequest: 'Die Anfrage war nicht lesbar.',
    form: 'Dieses Formular ist zu alt oder kam nicht von dieser Seite. Gehen Sie zurück und versuchen Sie es noch einmal.',
    lostCookies:
      'Ihr Browser hat kein Cookie zurückgeschickt, deshalb ist nicht zu erkennen, dass dieses Formular Ihres ist. Entweder war es zu lange offen: Gehen Sie zurück und laden Sie es neu. Oder Ihr Browser behält kein sicheres Cookie einer Adresse, die mit http:// beginnt; Safari tut das nicht einmal auf diesem Rechner. Nehmen Sie dann einen anderen Browser, etwa Chrome oder Firefox, oder eine Adresse, die mit https:// beginnt.',
    forbidden: 'Das ist nicht erlaubt.',
    blocked:
      'Ihr Konto ist hier gesperrt: Es kann sich weder anmelden noch etwas genehmigen. Fragen Sie den Betreiber dieses Dienstes.',
    notFound: 'Diese Seite gibt es nicht.',
    method: 'So lässt sich diese Seite nicht benutzen.',
    tooMany: (when) => `Zu viele Versuche. Versuchen Sie es ${when} noch einmal.`,
    unavailable: 'Das geht gerade nicht. Versuchen Sie es gleich noch einmal.',
    internal: 'Hier ist etwas schiefgegangen. Es lag nicht an Ihnen.',
    reference: (id) => `Falls Sie um Hilfe bitten, nennen Sie dies: ${id}`,
    home: 'Zurück zum Anfang'
  }
}
