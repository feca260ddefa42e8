import type { Texts } from './en.js'

export const fr: Texts = {
  skipToContent: 'Aller au contenu',
  nav: {
    label: 'Votre compte',
    device: 'Saisir un code',
    clients: 'Programmes autorisés',
    connections: 'Comptes connectés',
    signOut: 'Se déconnecter'
  },
  signedInAs: (name) => `Connecté en tant que ${name}`,
  about: 'À propos de ces pages',
  version: (version) => `grantd ${version}, pour essayer`,

  start: {
    title: 'Donner un accès à un programme, avec un code',
    intro: (service) =>
      `Des programmes en ligne de commande, sur un téléviseur ou sur une autre machine demandent ici un accès à votre compte chez ${service}. Ils vous montrent un code ; vous le saisissez ici, vous voyez qui demande quoi, et vous décidez.`,
    codeTitle: 'Vous avez un code',
    codeSignIn: 'Vous vous connectez d’abord. Le code est conservé.',
    noCodeTitle: 'Vous n’avez pas de code',
    noCode: 'Alors il n’y a rien à faire ici. Vous pouvez regarder ce que vous avez autorisé, et le révoquer.',
    developerTitle: 'Vous essayez ce service',
    developer: 'Il garde tout dans la mémoire d’un processus, et chacun peut s’y connecter sous n’importe quel nom.',
    demo: 'Demandez un accès, comme un programme le ferait : tapez ceci dans un deuxième terminal, dans le dossier source de grantd.',
    docs: 'Lire et essayer l’API',
    clients: 'Voir et révoquer ce qui a été autorisé'
  },

  device: {
    title: 'Saisissez le code',
    intro:
      'Un programme sur l’un de vos appareils affiche un code de huit lettres. Saisissez-le ici pour voir ce qu’il demande.',
    label: 'Code',
    hint: 'Majuscules, espaces et traits d’union n’ont pas d’importance.',
    submit: 'Continuer',
    linked: 'Un lien a rempli ce code. Comparez-le avec votre appareil avant de continuer.',
    invalid: 'Ce code n’est pas valable ou a expiré. Vérifiez-le sur votre appareil, ou demandez-y un nouveau code.'
  },

  consent: {
    title: 'Un appareil demande un accès',
    compare: 'Votre appareil affiche-t-il le même code ?',
    ifNot: 'S’il en affiche un autre, ou si vous n’avez pas cet appareil devant vous, refusez.',
    warning: {
      title: 'N’approuvez que ce que vous avez commencé vous-même',
      strongTitle: 'Attention : quelqu’un tente peut-être d’entrer dans votre compte',
      base: 'Refusez si quelqu’un vous a envoyé ce code ou ce lien, vous l’a lu ou vous a dit de le saisir, qui que cette personne prétende être. Aucun service d’assistance ne vous le demandera jamais.',
      linked: 'Vous êtes arrivé par un lien : son auteur a rempli le code.',
      imitation:
        'Ce que le programme dit de lui-même est écrit d’une manière qui peut tromper. C’est signalé sous « Détails ».',
      countries: (from, here) => `La demande vient d’ici : ${from}. Vous êtes là : ${here}.`
    },
    who: 'Vous êtes connecté en tant que',
    notYou: 'Ce n’est pas vous ? Déconnectez-vous',
    program: 'Programme',
    registered: 'enregistré sous ce nom auprès de ce service',
    described: 'vérifié : le programme y est décrit',
    describedAt: 'Décrit à l’adresse',
    unchecked: 'vérifié par personne',
    details: 'Détails',
    claimsIntro: 'Ce que le programme dit de lui-même. Personne ne l’a vérifié.',
    claimedName: 'Se nomme',
    version: 'Version',
    hostname: 'Appareil',
    os: 'Système',
    nothingClaimed: 'Rien.',
    hidden: 'Contient des caractères invisibles, représentés ici par \uFFFD.',
    lookalike: 'Contient des lettres d’un autre alphabet qui ressemblent à des lettres latines.',
    asked: 'Demandé',
    from: 'Depuis',
    here: 'Vous êtes',
    unknownPlace: 'lieu inconnu',
    rights: 'Il pourra',
    optional: 'Vous pouvez exclure',
    same: (code) => `Mon appareil affiche ${code}, et c’est moi qui ai commencé.`,
    approve: (name) => `Approuver ${name}`,
    quoted: (name) => `«\u00A0${name}\u00A0»`,
    deny: 'Refuser',
    tooMany: (count) =>
      `${count} programmes sont autorisés pour votre compte, et il ne peut y en avoir davantage à la fois. Révoquez-en un sous «\u00A0Programmes autorisés\u00A0», puis approuvez ici.`,
    confirmMissing: 'Pour approuver, comparez le code et cochez la case qui dit que votre appareil l’affiche.',
    changed: 'Le nom de ce programme a changé depuis l’affichage de la page. Regardez de nouveau.'
  },

  asking: {
    title: 'Un programme demande un accès',
    warning:
      'Refusez si vous ne venez pas de commencer cela vous-même, ou si quelqu’un vous a envoyé le lien qui mène ici, qui que cette personne prétende être.',
    to: 'La réponse va à',
    toThisComputer: (name) => `un programme sur cet ordinateur (${name})`,
    toProgram: (scheme) => `le programme de cet appareil qui ouvre ${scheme}`,
    sure: 'Je viens de commencer cela moi-même.',
    sureMissing: 'Pour approuver, cochez la case qui dit que vous avez commencé cela vous-même.',
    approved: 'Votre navigateur continue tout seul, et le programme avec lui. Sinon, suivez le lien.',
    denied: 'Le programme n’obtient rien. Votre navigateur y retourne tout seul. Sinon, suivez le lien.',
    goOn: (place) => `Continuer : ${place}`,
    lost: 'Cela n’a pas été demandé dans ce navigateur, ou il y a trop longtemps, ou la réponse est déjà donnée. Recommencez dans le programme.',
    notAsked: (host) =>
      `Un programme décrit sur ${host} vous a envoyé ici. Sa demande a été refusée avant que la question vous soit posée, et rien n’a été approuvé.`,
    notTrusted:
      'Personne ici ne connaît l’adresse où il doit l’apprendre. Ne suivez le lien que si vous utilisiez ce programme à l’instant.',
    unknownClient:
      'Ce service ne connaît pas le programme qui vous a envoyé ici. Rien n’a été approuvé, et vous n’y êtes pas renvoyé.',
    unknownRedirect:
      'Le programme qui vous a envoyé ici veut la réponse à une adresse qui n’est pas enregistrée pour lui. Rien n’a été approuvé, et vous n’y êtes pas envoyé.'
  },

  clientTypes: {
    cli: 'un programme en ligne de commande',
    mcp: 'un serveur MCP',
    demo: 'une démonstration',
    'ide-plugin': 'une extension d’un environne\u00ADment de développe\u00ADment',
    other: 'un programme d’un autre genre'
  },

  rights: {
    act: (service, span) => `agir pour vous auprès de ${service}, pendant ${span} ou jusqu’à révocation`,
    openid: 'savoir quel compte est le vôtre',
    profile: 'lire votre nom',
    email: 'lire votre adresse électronique',
    offline_access: 'rester connecté sans vous redemander',
    other: 'faire ce qui s’appelle'
  },

  result: {
    approvedTitle: 'Approuvé',
    approved: 'Retournez à votre appareil : il continue tout seul en quelques secondes. Vous pouvez fermer cette page.',
    lookAgain: 'Regarder à nouveau si votre appareil l’a reçu',
    collected: 'Votre appareil l’a reçu. Retournez-y ; vous pouvez fermer cette page.',
    undoIntro: 'C’était une erreur ? Annulez, et le programme sera refusé dès sa prochaine requête.',
    undo: 'Annuler',
    manage: 'Voir tout ce que vous avez autorisé',
    deniedTitle: 'Refusé',
    denied: 'L’appareil n’obtient rien. Vous pouvez fermer cette page.',
    deniedAdvice:
      'Si ce n’est pas vous qui avez commencé, quelqu’un a peut-être tenté d’entrer dans votre compte. Il ne lui est rien arrivé.',
    refusedTitle: 'Non autorisé',
    refused:
      'L’exploitant de ce service n’autorise pas cette demande. Rien n’a été approuvé, et le programme n’obtient rien.',
    withdrawnTitle: 'Demande retirée',
    withdrawn: 'Le programme a retiré sa demande. Rien n’a été approuvé.',
    withdrawnAdvice:
      'Vous pouvez fermer cette page. Si vous le souhaitez toujours, recommencez sur votre appareil : il vous montre un nouveau code.',
    lapsedTitle: 'Non récupéré',
    lapsed: 'Le programme n’a pas récupéré votre approbation à temps : il n’a donc aucun accès.',
    lapsedAdvice:
      'Vous pouvez fermer cette page. Si vous le souhaitez toujours, recommencez sur votre appareil : il vous montre un nouveau code.',
    undoneTitle: 'Annulé',
    undone: 'Le programme n’a aucun accès : ce qu’il a reçu est refusé désormais.'
  },

  login: {
    title: 'Connexion',
    again: 'Connectez-vous encore une fois : il s’agit de l’accès à votre compte.',
    goingTo: {
      ask: 'Connectez-vous pour voir ce qu’un programme demande.',
      device: 'Connectez-vous pour saisir le code que votre appareil affiche.',
      consent: 'Connectez-vous pour voir ce qu’un appareil demande.',
      clients: 'Connectez-vous pour voir les programmes que vous avez autorisés.',
      connections: 'Connectez-vous pour voir les comptes que vous avez connectés.'
    },
    with: (provider) => `Continuer avec ${provider}`,
    demoTitle: 'Connexion de démonstration',
    demo: 'Ce service garde tout dans la mémoire d’un seul processus sur cet ordinateur et ne vérifie l’identité de personne : tapez n’importe quel nom pour être cet utilisateur. En exploitation réelle, cela n’existe pas.',
    demoName: 'Nom',
    demoSubmit: 'Se connecter sous ce nom',
    demoInvalid: 'Tapez un nom de 1 à 64 caractères visibles.',
    signedOut: 'Vous êtes déconnecté.'
  },

  logout: {
    title: 'Déconnexion',
    intro: 'Cela termine votre session sur ces pages. Les programmes que vous avez autorisés ne sont pas concernés.',
    submit: 'Se déconnecter'
  },

  clients: {
    title: 'Programmes autorisés',
    intro: 'Ces programmes peuvent ou pouvaient agir pour vous. Révoquez ce que vous ne reconnaissez pas.',
    none: 'Aucun programme ne peut encore agir pour vous. Quand l’un d’eux vous montre un code, saisissez-le pour voir ce qu’il demande. Ce que vous approuvez apparaît ici aussitôt.',
    active: 'Actifs',
    ended: 'Révoqués et expirés',
    unnamed: 'Un programme sans nom',
    approvedHere: 'celui que vous venez d’approuver',
    awaited: 'pas encore récupéré par le programme',
    kind: 'Genre',
    resources: 'Pour',
    version: 'Version',
    approvedOn: 'Approuvé',
    approvedFrom: 'depuis l’adresse',
    lastUsed: 'Dernière utilisation',
    neverUsed: 'jamais',
    expires: 'Prend fin',
    revokedOn: 'Révoqué',
    expiredOn: 'Expiré',
    collectBy: 'Peut être récupéré jusqu’au',
    lapsedOn: 'Jamais récupéré, périmé',
    label: 'Le nom que vous lui donnez',
    rename: 'Renommer',
    revoke: 'Révoquer',
    revokeNamed: (name) => `Révoquer ${name}`,
    renameNamed: (name) => `Renommer ${name}`,
    revokeAll: 'Tout révoquer',
    revokeAllIntro: (count) =>
      count === 1
        ? 'Le programme ci-dessus perd son accès immédiatement.'
        : `Les ${count} programmes actifs perdent leur accès immédiatement, où qu’ils tournent.`,
    revokeAllConfirm: 'Oui, tout révoquer',
    nextPage: 'Page suivante',
    firstPage: 'Première page',
    done: {
      renamed: 'Renommé.',
      revoked: 'Révoqué. Le programme est refusé dès sa prochaine requête.',
      'revoked-all': 'Tous sont révoqués.'
    }
  },

  connections: {
    title: 'Comptes connectés',
    intro: 'Les comptes d’autres services que vous avez connectés. Leurs jetons sont conservés chiffrés.',
    none: 'Vous n’avez encore connecté aucun compte.',
    noneAdvice: 'Choisissez un service ci-dessous. Vous vous y connectez et dites ce qui peut être utilisé.',
    noProviders: 'Aucun autre service ne peut être connecté ici : il n’y a donc rien à faire sur cette page.',
    status: { connected: 'Connecté', needs_reconnect: 'À reconnecter' },
    scopes: 'Peut servir à',
    noScopes: 'non communiqué par le service',
    since: 'Connecté',
    signIn: 'Connexion',
    uses: {
      first: 'Vous vous connectez avec lui.',
      chosen: 'Vous pouvez aussi vous connecter avec lui.',
      connected: 'Il ne sert pas à se connecter.'
    },
    choose: { connected: 'Me connecter aussi avec ce compte', chosen: 'Ne plus me connecter avec ce compte' },
    chooseNamed: {
      connected: (name) => `Me connecter aussi avec ce compte : ${name}`,
      chosen: (name) => `Ne plus me connecter avec ce compte : ${name}`
    },
    disconnect: 'Déconnecter',
    disconnectNamed: (name) => `Déconnecter ${name}`,
    addTitle: 'Connecter un autre compte',
    connect: (provider) => `Connecter ${provider}`,
    reconnect: (provider) => `Reconnecter ${provider}`,
    done: {
      connected: 'Le compte est connecté.',
      disconnected: 'Le compte est déconnecté, ici et auprès du service.',
      'disconnected-here':
        'Le compte est déconnecté ici. Le service n’a pas pu le confirmer : vous pouvez mettre fin à l’accès dans vos réglages là-bas.',
      'signs-in': 'Désormais, vous pouvez aussi vous connecter ici avec ce compte.',
      'signs-in-no-more': 'Vous ne pouvez plus vous connecter ici avec ce compte. Il reste connecté.',
      failed: 'Le service indique que quelque chose s’est mal passé. Rien n’a été connecté.',
      denied: 'Le service indique que vous n’avez pas accepté. Rien n’a été connecté.',
      invalid: 'La réponse du service n’appartenait pas à ce qui a été commencé ici. Rien n’a été connecté.',
      not_fresh: 'Le service ne vous a pas demandé de vous reconnecter. Rien n’a été connecté.',
      taken: 'Ce compte appartient déjà à une autre personne ici. Rien n’a été connecté.'
    }
  },

  error: {
    title: 'Cela n’a pas marché',
    signInFailed: {
      failed: 'Le service n’a pas pu vous connecter. Vous pouvez réessayer.',
      denied: 'La connexion a été interrompue. Vous pouvez réessayer.',
      invalid: 'Cette connexion n’a pas été commencée dans ce navigateur, ou il y a trop longtemps. Recommencez.',
      not_fresh:
        'Le service n’a pas confirmé que vous veniez de vous reconnecter. Réessayez. Si cela ne suffit pas, déconnectez-vous ici et là-bas, puis reconnectez-vous.',
      only_connected:
        'Ce compte est lié à un utilisateur d’ici et ne sert pas à se connecter. Connectez-vous comme la première fois. Vous pourrez ensuite indiquer dans « Comptes connectés » que vous voulez aussi vous connecter avec ce compte.'
    },
    badRequest: 'La requête n’a pas pu être lue.',
    form: 'Ce formulaire est trop ancien ou ne vient pas de cette page. Revenez en arrière et réessayez.',
    lostCookies:
      'Votre navigateur n’a renvoyé aucun cookie : rien ne dit donc que ce formulaire est le vôtre. Soit il est resté ouvert trop longtemps : revenez en arrière et rechargez-le. Soit votre navigateur ne garde aucun cookie sécurisé d’une adresse qui commence par http:// ; Safari n’en garde pas, même sur cet ordinateur. Utilisez alors un autre navigateur, par exemple Chrome ou Firefox, ou une adresse qui commence par https://.',
    forbidden: 'Ce n’est pas permis.',
    blocked:
      'Votre compte est bloqué ici : il ne peut ni se connecter ni approuver quoi que ce soit. Adressez-vous à l’exploitant de ce service.',
    notFound: 'Cette page n’existe pas.',
    method: 'Cette page ne peut pas être utilisée ainsi.',
    tooMany: (when) => `Trop de tentatives. Réessayez ${when}.`,
    unavailable: 'Ce n’est pas possible pour le moment. Réessayez dans un instant.',
    internal: 'Quelque chose s’est mal passé ici. Vous n’y êtes pour rien.',
    reference: (id) => `Si vous demandez de l’aide, citez ceci : ${id}`,
    home: 'Retour au début'
  }
}
