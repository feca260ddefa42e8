import type { Texts } from './en.js'

export const pt: Texts = {
  skipToContent: 'Ir para o conteúdo',
  nav: {
    label: 'Sua conta',
    device: 'Inserir código',
    clients: 'Programas autorizados',
    connections: 'Contas conectadas',
    signOut: 'Sair'
  },
  signedInAs: (name) => `Você entrou como ${name}`,
  about: 'Sobre estas páginas',
  version: (version) => `grantd ${version}, para experimentar`,

  start: {
    title: 'Dar acesso a um programa com um código',
    intro: (service) =>
      `Programas em uma linha de comando, uma televisão ou outra máquina pedem aqui acesso à sua conta em ${service}. Eles mostram um código; você o insere aqui, vê quem pede acesso e para quê, e decide.`,
    codeTitle: 'Se você tem um código',
    codeSignIn: 'Antes, você precisará entrar. O código é mantido.',
    noCodeTitle: 'Se você não tem um código',
    noCode: 'Então não há nada a fazer aqui. Você pode ver o que autorizou e revogar.',
    developerTitle: 'Se você está experimentando este serviço',
    developer: 'Ele guarda tudo na memória de um único processo, e qualquer pessoa pode entrar com qualquer nome.',
    demo: 'Peça acesso como um programa faria: digite isto em um segundo terminal, na pasta do código-fonte do grantd.',
    docs: 'Ler e experimentar a API',
    clients: 'Ver e revogar o que foi autorizado'
  },

  device: {
    title: 'Insira o código',
    intro:
      'Um programa em um dos seus dispositivos mostra um código de oito letras. Insira-o aqui para ver o que ele pede.',
    label: 'Código',
    hint: 'Maiúsculas, espaços e hífens não fazem diferença.',
    submit: 'Continuar',
    linked: 'Um link preencheu este código. Compare-o com o do seu dispositivo antes de continuar.',
    invalid: 'Este código não é válido ou expirou. Verifique-o no seu dispositivo ou peça um novo por lá.'
  },

  consent: {
    title: 'Um dispositivo pede acesso',
    compare: 'Seu dispositivo mostra o mesmo código?',
    ifNot: 'Se ele mostra outro código, ou se você não tem esse dispositivo à sua frente, recuse.',
    warning: {
      title: 'Aprove somente o que você mesmo iniciou',
      strongTitle: 'Cuidado: isto pode ser uma tentativa de entrar na sua conta',
      base: 'Recuse se alguém enviou este código ou este link a você, leu o código para você ou disse que você o inserisse, seja quem for que a pessoa diga ser. Ninguém do suporte jamais pedirá isso.',
      linked: 'Você chegou por um link: quem o criou preencheu o código.',
      imitation:
        'O que o programa diz de si mesmo está escrito de um modo que pode enganar. Está assinalado em “Detalhes”.',
      countries: (from, here) => `O pedido vem daqui: ${from}. Mas você está aqui: ${here}.`
    },
    who: 'Você entrou como',
    notYou: 'Não é você? Sair',
    program: 'Programa',
    registered: 'registrado neste serviço com este nome',
    described: 'verificado: o programa está descrito lá',
    describedAt: 'Descrito em',
    unchecked: 'ninguém verificou',
    details: 'Detalhes',
    claimsIntro: 'O que o programa diz de si mesmo. Ninguém verificou.',
    claimedName: 'Diz chamar-se',
    version: 'Versão',
    hostname: 'Dispositivo',
    os: 'Sistema',
    nothingClaimed: 'Nada.',
    hidden: 'Contém caracteres invisíveis, mostrados aqui como \uFFFD.',
    lookalike: 'Contém letras de outro alfabeto que parecem latinas.',
    asked: 'Pedido feito',
    from: 'De',
    here: 'Você está em',
    unknownPlace: 'lugar desconhecido',
    rights: 'Ele poderá',
    optional: 'Pode deixar de fora',
    same: (code) => `Meu dispositivo mostra ${code}, e fui eu que iniciei isto.`,
    approve: (name) => `Aprovar ${name}`,
    quoted: (name) => `“${name}”`,
    deny: 'Recusar',
    tooMany: (count) =>
      `Sua conta tem ${count} programas autorizados, e não pode haver mais ativos ao mesmo tempo. Revogue um em “Programas autorizados” e depois aprove aqui.`,
    confirmMissing: 'Para aprovar, compare o código e marque a caixa que diz que seu dispositivo o mostra.',
    changed: 'O nome deste programa mudou desde que a página foi mostrada. Confira de novo.'
  },

  asking: {
    title: 'Um programa pede acesso',
    warning:
      'Recuse se não foi você quem acabou de iniciar isto, ou se alguém enviou a você o link que o trouxe aqui, seja quem for que a pessoa diga ser.',
    to: 'A resposta vai para',
    toThisComputer: (name) => `um programa neste computador (${name})`,
    toProgram: (scheme) => `o programa deste dispositivo que abre ${scheme}`,
    sure: 'Eu mesmo acabei de iniciar isto.',
    sureMissing: 'Para aprovar, marque a caixa que diz que você mesmo iniciou isto.',
    approved: 'Seu navegador continua sozinho, e o programa com ele. Se não continuar, siga o link.',
    denied: 'O programa não recebe nada. Seu navegador volta para ele sozinho. Se não voltar, siga o link.',
    goOn: (place) => `Continuar: ${place}`,
    lost: 'Isso não foi perguntado neste navegador, ou foi há tempo demais, ou já está respondido. Comece de novo no programa.',
    notAsked: (host) =>
      `Um programa descrito em ${host} enviou você para cá. O pedido dele foi recusado antes que você fosse perguntado, e nada foi aprovado.`,
    notTrusted:
      'Ninguém aqui conhece o endereço em que ele deve saber disso. Siga o link somente se você estava usando este programa agora mesmo.',
    unknownClient:
      'Este serviço não conhece o programa que enviou você para cá. Nada foi aprovado, e você não é enviado de volta.',
    unknownRedirect:
      'O programa que enviou você para cá quer a resposta em um endereço que não está registrado para ele. Nada foi aprovado, e você não é enviado para lá.'
  },

  clientTypes: {
    cli: 'um programa de linha de comando',
    mcp: 'um servidor MCP',
    demo: 'uma demonstração',
    'ide-plugin': 'um plug-in de um ambiente de desenvolvi\u00ADmento',
    other: 'um programa de outro tipo'
  },

  rights: {
    act: (service, span) => `agir por você em ${service}, por ${span} ou até que você revogue`,
    openid: 'saber qual é a sua conta',
    profile: 'ler o seu nome',
    email: 'ler o seu endereço de e-mail',
    offline_access: 'manter o acesso sem perguntar de novo a você',
    other: 'fazer o que se chama'
  },

  result: {
    approvedTitle: 'Aprovado',
    approved: 'Volte ao seu dispositivo: ele continua sozinho em alguns segundos. Você pode fechar esta página.',
    lookAgain: 'Verificar de novo se o seu dispositivo já recebeu',
    collected: 'Seu dispositivo já recebeu. Volte a ele; você pode fechar esta página.',
    undoIntro: 'Foi um engano? Retire a aprovação, e o programa será recusado a partir do próximo pedido dele.',
    undo: 'Retirar a aprovação',
    manage: 'Ver tudo o que você autorizou',
    deniedTitle: 'Recusado',
    denied: 'O dispositivo não recebe nada. Você pode fechar esta página.',
    deniedAdvice:
      'Se não foi você que iniciou isto, talvez alguém tenha tentado entrar na sua conta. Nada aconteceu com ela.',
    refusedTitle: 'Não permitido',
    refused: 'Quem opera este serviço não permite este pedido. Nada foi aprovado e o programa não recebe nada.',
    withdrawnTitle: 'Pedido retirado',
    withdrawn: 'O programa retirou o seu pedido. Nada foi aprovado.',
    withdrawnAdvice:
      'Você pode fechar esta página. Se ainda quiser, comece de novo no dispositivo: ele mostra outro código.',
    lapsedTitle: 'Não recebido',
    lapsed: 'O programa não recebeu a sua aprovação a tempo e, por isso, não tem acesso.',
    lapsedAdvice:
      'Você pode fechar esta página. Se ainda quiser, comece de novo no dispositivo: ele mostra outro código.',
    undoneTitle: 'Aprovação retirada',
    undone: 'O programa não tem acesso: tudo o que ele recebeu é recusado a partir de agora.'
  },

  login: {
    title: 'Entrar',
    again: 'Entre mais uma vez: trata-se do acesso à sua conta.',
    goingTo: {
      ask: 'Entre para ver o que um programa pede.',
      device: 'Entre para inserir o código que seu dispositivo mostra.',
      consent: 'Entre para ver o que um dispositivo pede.',
      clients: 'Entre para ver os programas que você autorizou.',
      connections: 'Entre para ver as contas que você conectou.'
    },
    with: (provider) => `Continuar com ${provider}`,
    demoTitle: 'Entrada de demonstração',
    demo: 'Este serviço guarda tudo na memória de um único processo neste computador e não verifica a identidade de ninguém: digite qualquer nome para ser esse usuário. Em um serviço real, isso não existe.',
    demoName: 'Nome',
    demoSubmit: 'Entrar com este nome',
    demoInvalid: 'Digite um nome de 1 a 64 caracteres visíveis.',
    signedOut: 'Você saiu.'
  },

  logout: {
    title: 'Sair',
    intro: 'Isto encerra sua sessão nestas páginas. Os programas que você autorizou não são afetados.',
    submit: 'Sair'
  },

  clients: {
    title: 'Programas autorizados',
    intro: 'Estes programas podem, ou podiam, agir por você. Revogue os que não reconhecer.',
    none: 'Nenhum programa pode agir por você ainda. Quando um deles mostrar um código, insira-o para ver o que ele pede. O que você aprovar aparece aqui na hora.',
    active: 'Ativos',
    ended: 'Revogados e expirados',
    unnamed: 'Um programa sem nome',
    approvedHere: 'o que você acabou de aprovar',
    awaited: 'ainda não recebido pelo programa',
    kind: 'Tipo',
    resources: 'Para',
    version: 'Versão',
    approvedOn: 'Aprovado',
    approvedFrom: 'do endereço',
    lastUsed: 'Último uso',
    neverUsed: 'nunca',
    expires: 'Termina',
    revokedOn: 'Revogado',
    expiredOn: 'Expirado',
    collectBy: 'Pode ser recebido até',
    lapsedOn: 'Nunca recebido, perdeu a validade',
    label: 'Nome dado por você',
    rename: 'Renomear',
    revoke: 'Revogar',
    revokeNamed: (name) => `Revogar ${name}`,
    renameNamed: (name) => `Renomear ${name}`,
    revokeAll: 'Revogar todos',
    revokeAllIntro: (count) =>
      count === 1
        ? 'O programa acima perde o acesso imediatamente.'
        : `Todos os ${count} programas ativos perdem o acesso imediatamente, onde quer que estejam.`,
    revokeAllConfirm: 'Sim, revogar todos',
    nextPage: 'Próxima página',
    firstPage: 'Primeira página',
    done: {
      renamed: 'Renomeado.',
      revoked: 'Revogado. O programa será recusado a partir do próximo pedido dele.',
      'revoked-all': 'Todos foram revogados.'
    }
  },

  connections: {
    title: 'Contas conectadas',
    intro: 'Contas em outros serviços que você conectou. Os tokens delas são guardados criptografados.',
    none: 'Você ainda não conectou nenhuma conta.',
    noneAdvice: 'Escolha um serviço abaixo. Você entra lá e diz o que pode ser usado.',
    noProviders: 'Nenhum outro serviço pode ser conectado aqui; portanto, não há nada a fazer nesta página.',
    status: { connected: 'Conectada', needs_reconnect: 'Precisa ser conectada de novo' },
    scopes: 'Pode ser usada para',
    noScopes: 'não informado pelo serviço',
    since: 'Conectada',
    signIn: 'Entrada',
    uses: {
      first: 'Você entra com ela.',
      chosen: 'Você também pode entrar com ela.',
      connected: 'Ela não serve para entrar.'
    },
    choose: { connected: 'Quero entrar também com esta conta', chosen: 'Não quero mais entrar com ela' },
    chooseNamed: {
      connected: (name) => `Quero entrar também com esta conta: ${name}`,
      chosen: (name) => `Não quero mais entrar com ela: ${name}`
    },
    disconnect: 'Desconectar',
    disconnectNamed: (name) => `Desconectar ${name}`,
    addTitle: 'Conectar outra conta',
    connect: (provider) => `Conectar ${provider}`,
    reconnect: (provider) => `Conectar ${provider} de novo`,
    done: {
      connected: 'A conta está conectada.',
      disconnected: 'A conta foi desconectada, aqui e no serviço.',
      'disconnected-here':
        'A conta foi desconectada aqui. O serviço não pôde confirmar: você pode encerrar o acesso lá, nas suas configurações.',
      'signs-in': 'De agora em diante você também pode entrar aqui com esta conta.',
      'signs-in-no-more': 'Você não pode mais entrar aqui com esta conta. Ela continua conectada.',
      failed: 'O serviço informa que algo deu errado lá. Nada foi conectado.',
      denied: 'O serviço informa que você não concordou. Nada foi conectado.',
      invalid: 'A resposta do serviço não correspondia ao que foi iniciado aqui. Nada foi conectado.',
      not_fresh: 'O serviço não pediu que você entrasse de novo. Nada foi conectado.',
      taken: 'Esta conta já pertence a outra pessoa aqui. Nada foi conectado.'
    }
  },

  error: {
    title: 'Não deu certo',
    signInFailed: {
      failed: 'O serviço não conseguiu autenticar você. Você pode tentar de novo.',
      denied: 'A entrada foi cancelada. Você pode tentar de novo.',
      invalid: 'Esta entrada não foi iniciada neste navegador, ou foi há tempo demais. Comece de novo.',
      not_fresh:
        'O serviço não confirmou que você acabou de entrar de novo. Tente outra vez. Se não adiantar, saia aqui e lá, e entre de novo.',
      only_connected:
        'Esta conta está conectada a um usuário daqui e não serve para entrar. Entre do jeito da primeira vez. Depois você pode dizer em “Contas conectadas” que quer entrar também com esta conta.'
    },
    badRequest: 'Não foi possível ler o pedido.',
    form: 'Este formulário é antigo demais ou não foi enviado desta página. Volte e tente de novo.',
    lostCookies:
      'Seu navegador não devolveu nenhum cookie, portanto não é possível saber se este formulário é seu. Ou ele ficou aberto por tempo demais: volte e carregue-o de novo. Ou seu navegador não guarda cookies seguros de um endereço que começa com http://, e o Safari não faz isso nem neste computador: use outro navegador, como Chrome ou Firefox, ou um endereço que comece com https://.',
    forbidden: 'Isso não é permitido.',
    blocked:
      'Sua conta está bloqueada aqui: ela não pode entrar nem aprovar nada. Fale com quem administra este serviço.',
    notFound: 'Esta página não existe.',
    method: 'Esta página não pode ser usada assim.',
    tooMany: (when) => `Tentativas demais. Tente de novo ${when}.`,
    unavailable: 'Isto não é possível no momento. Tente de novo daqui a pouco.',
    internal: 'Algo deu errado aqui. Não foi por nada que você fez.',
    reference: (id) => `Se pedir ajuda, mencione isto: ${id}`,
    home: 'Voltar ao início'
  }
}
