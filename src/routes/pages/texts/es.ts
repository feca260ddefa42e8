import type { Texts } from './en.js'

export const es: Texts = {
  skipToContent: 'Ir al contenido',
  nav: {
    label: 'Su cuenta',
    device: 'Introducir código',
    clients: 'Programas autorizados',
    connections: 'Cuentas conectadas',
    signOut: 'Cerrar sesión'
  },
  signedInAs: (name) => `Sesión iniciada como ${name}`,
  about: 'Acerca de estas páginas',
  version: (version) => `grantd ${version}, para probar`,

  start: {
    title: 'Dar acceso a un programa con un código',
    intro: (service) =>
      `Los programas de una línea de comandos, un televisor u otro equipo piden aquí acceso a su cuenta de ${service}. Le muestran un código; usted lo introduce aquí, ve quién pide acceso y para qué, y decide.`,
    codeTitle: 'Si tiene un código',
    codeSignIn: 'Primero se le pedirá que inicie sesión. El código se conserva.',
    noCodeTitle: 'Si no tiene un código',
    noCode: 'Entonces no hay nada que hacer aquí. Puede ver lo que ha autorizado y revocarlo.',
    developerTitle: 'Si está probando este servicio',
    developer:
      'El servicio lo guarda todo en la memoria de un solo proceso, y cualquiera puede iniciar sesión con cualquier nombre.',
    demo: 'Pida acceso como lo haría un programa: escriba esto en una segunda terminal, en la carpeta del código fuente de grantd.',
    docs: 'Leer y probar la API',
    clients: 'Ver y revocar lo que se ha autorizado'
  },

  device: {
    title: 'Introduzca el código',
    intro:
      'Un programa en uno de sus dispositivos muestra un código de ocho letras. Introdúzcalo aquí para ver qué pide.',
    label: 'Código',
    hint: 'No importan las mayúsculas, los espacios ni los guiones.',
    submit: 'Continuar',
    linked: 'Un enlace ha rellenado este código. Compárelo con el de su dispositivo antes de continuar.',
    invalid: 'Este código no es válido o ha caducado. Compruébelo en su dispositivo o pida allí uno nuevo.'
  },

  consent: {
    title: 'Un dispositivo pide acceso',
    compare: '¿Muestra su dispositivo el mismo código?',
    ifNot: 'Si muestra otro código, o si no tiene delante ese dispositivo, rechace.',
    warning: {
      title: 'Apruebe solo lo que haya iniciado usted',
      strongTitle: 'Tenga cuidado: puede ser un intento de entrar en su cuenta',
      base: 'Rechace si alguien le envió este código o este enlace, se lo leyó o le dijo que lo introdujera, sea quien diga ser. Nadie del servicio de asistencia se lo pedirá jamás.',
      linked: 'Ha llegado por un enlace: quien lo creó rellenó el código.',
      imitation:
        'Lo que el programa dice de sí mismo está escrito de un modo que puede engañar. Está señalado en “Detalles”.',
      countries: (from, here) => `La solicitud viene de ${from}, pero usted está en ${here}.`
    },
    who: 'Ha iniciado sesión como',
    notYou: '¿No es usted? Cierre la sesión',
    program: 'Programa',
    registered: 'registrado en este servicio con este nombre',
    described: 'comprobado: el programa está descrito allí',
    describedAt: 'Descrito en',
    unchecked: 'nadie lo ha comprobado',
    details: 'Detalles',
    claimsIntro: 'Lo que el programa dice de sí mismo. Nadie lo ha comprobado.',
    claimedName: 'Dice llamarse',
    version: 'Versión',
    hostname: 'Dispositivo',
    os: 'Sistema',
    nothingClaimed: 'Nada.',
    hidden: 'Contiene caracteres invisibles, que aquí se muestran como \uFFFD.',
    lookalike: 'Contiene letras de otro alfabeto que parecen latinas.',
    asked: 'Solicitado',
    from: 'Desde',
    here: 'Usted está en',
    unknownPlace: 'lugar desconocido',
    rights: 'Podrá',
    optional: 'Puede dejar fuera',
    same: (code) => `Mi dispositivo muestra ${code} y esto lo he iniciado yo.`,
    approve: (name) => `Aprobar ${name}`,
    quoted: (name) => `“${name}”`,
    deny: 'Rechazar',
    tooMany: (count) =>
      `Su cuenta tiene ${count} programas autorizados y no puede haber más activos a la vez. Revoque uno en «Programas autorizados» y apruebe después aquí.`,
    confirmMissing: 'Para aprobar, compare el código y marque la casilla que dice que su dispositivo lo muestra.',
    changed: 'El nombre de este programa ha cambiado desde que se mostró la página. Vuelva a mirarlo.'
  },

  asking: {
    title: 'Un programa pide acceso',
    warning:
      'Rechace si no lo ha iniciado usted ahora mismo, o si alguien le envió el enlace que le trajo aquí, sea quien diga ser.',
    to: 'La respuesta va a',
    toThisComputer: (name) => `un programa de este equipo (${name})`,
    toProgram: (scheme) => `el programa de este dispositivo que abre ${scheme}`,
    sure: 'Lo he iniciado yo ahora mismo.',
    sureMissing: 'Para aprobar, marque la casilla que dice que lo ha iniciado usted.',
    approved: 'Su navegador continúa por sí solo, y el programa con él. Si no es así, siga el enlace.',
    denied: 'El programa no recibe nada. Su navegador vuelve a él por sí solo. Si no es así, siga el enlace.',
    goOn: (place) => `Continuar: ${place}`,
    lost: 'Eso no se preguntó en este navegador, o hace demasiado tiempo, o ya está respondido. Empiece de nuevo en el programa.',
    notAsked: (host) =>
      `Le envió aquí un programa que se describe en ${host}. Su solicitud se rechazó antes de preguntarle a usted, y no se ha aprobado nada.`,
    notTrusted:
      'Nadie aquí conoce la dirección en la que debe enterarse de ello. Siga el enlace solo si estaba usando este programa ahora mismo.',
    unknownClient:
      'Este servicio no conoce el programa que le envió aquí. No se ha aprobado nada y no se le envía de vuelta.',
    unknownRedirect:
      'El programa que le envió aquí quiere la respuesta en una dirección que no está registrada para él. No se ha aprobado nada y no se le envía allí.'
  },

  clientTypes: {
    cli: 'un programa de línea de comandos',
    mcp: 'un servidor MCP',
    demo: 'una demostración',
    'ide-plugin': 'un complemento de un entorno de desarrollo',
    other: 'un programa de otro tipo'
  },

  rights: {
    act: (service, span) => `actuar por usted en ${service}, durante ${span} o hasta que lo revoque`,
    openid: 'saber cuál es su cuenta',
    profile: 'leer su nombre',
    email: 'leer su dirección de correo electrónico',
    offline_access: 'mantener el acceso sin volver a preguntarle',
    other: 'hacer lo que se llama'
  },

  result: {
    approvedTitle: 'Aprobado',
    approved: 'Vuelva a su dispositivo: continuará por sí solo en unos segundos. Puede cerrar esta página.',
    lookAgain: 'Volver a mirar si su dispositivo lo ha recibido',
    collected: 'Su dispositivo lo ha recibido. Vuelva a él; puede cerrar esta página.',
    undoIntro: '¿Ha sido un error? Retire la aprobación y el programa será rechazado desde su próxima solicitud.',
    undo: 'Retirar la aprobación',
    manage: 'Ver todo lo que ha autorizado',
    deniedTitle: 'Rechazado',
    denied: 'El dispositivo no recibe nada. Puede cerrar esta página.',
    deniedAdvice:
      'Si no inició esto usted, quizá alguien intentó entrar en su cuenta. A su cuenta no le ha pasado nada.',
    refusedTitle: 'No permitido',
    refused:
      'Quien gestiona este servicio no permite esta solicitud. No se ha aprobado nada y el programa no recibe nada.',
    withdrawnTitle: 'Solicitud retirada',
    withdrawn: 'El programa ha retirado su solicitud. No se ha aprobado nada.',
    withdrawnAdvice:
      'Puede cerrar esta página. Si aún lo desea, empiece de nuevo en su dispositivo: le mostrará otro código.',
    lapsedTitle: 'Sin recoger',
    lapsed: 'El programa no recogió su aprobación a tiempo, así que no tiene acceso.',
    lapsedAdvice:
      'Puede cerrar esta página. Si aún lo desea, empiece de nuevo en su dispositivo: le mostrará otro código.',
    undoneTitle: 'Aprobación retirada',
    undone: 'El programa no tiene acceso: lo que haya recibido se rechaza desde ahora.'
  },

  login: {
    title: 'Iniciar sesión',
    again: 'Inicie sesión una vez más: se trata del acceso a su cuenta.',
    goingTo: {
      ask: 'Inicie sesión para ver qué pide un programa.',
      device: 'Inicie sesión para introducir el código que muestra su dispositivo.',
      consent: 'Inicie sesión para ver qué pide un dispositivo.',
      clients: 'Inicie sesión para ver los programas que ha autorizado.',
      connections: 'Inicie sesión para ver las cuentas que ha conectado.'
    },
    with: (provider) => `Continuar con ${provider}`,
    demoTitle: 'Inicio de sesión de prueba',
    demo: 'Este servicio lo guarda todo en la memoria de un solo proceso en este equipo y no comprueba la identidad de nadie: escriba cualquier nombre para ser ese usuario. En un servicio real no existe.',
    demoName: 'Nombre',
    demoSubmit: 'Iniciar sesión con este nombre',
    demoInvalid: 'Escriba un nombre de 1 a 64 caracteres visibles.',
    signedOut: 'Ha cerrado la sesión.'
  },

  logout: {
    title: 'Cerrar sesión',
    intro: 'Esto termina su sesión en estas páginas. No afecta a los programas que ha autorizado.',
    submit: 'Cerrar sesión'
  },

  clients: {
    title: 'Programas autorizados',
    intro: 'Estos programas pueden, o podían, actuar por usted. Revoque los que no reconozca.',
    none: 'Ningún programa puede actuar aún por usted. Cuando uno le muestre un código, introdúzcalo para ver qué pide. Lo que apruebe aparecerá aquí de inmediato.',
    active: 'Activos',
    ended: 'Revocados y caducados',
    unnamed: 'Un programa sin nombre',
    approvedHere: 'el que acaba de aprobar',
    awaited: 'el programa aún no lo ha recogido',
    kind: 'Tipo',
    resources: 'Para',
    version: 'Versión',
    approvedOn: 'Aprobado',
    approvedFrom: 'desde la dirección',
    lastUsed: 'Último uso',
    neverUsed: 'nunca',
    expires: 'Termina',
    revokedOn: 'Revocado',
    expiredOn: 'Caducado',
    collectBy: 'Puede recogerse hasta',
    lapsedOn: 'Nunca recogido, caducó',
    label: 'Nombre dado por usted',
    rename: 'Renombrar',
    revoke: 'Revocar',
    revokeNamed: (name) => `Revocar ${name}`,
    renameNamed: (name) => `Renombrar ${name}`,
    revokeAll: 'Revocar todos',
    revokeAllIntro: (count) =>
      count === 1
        ? 'El programa de arriba pierde su acceso de inmediato.'
        : `Los ${count} programas activos pierden su acceso de inmediato, estén donde estén.`,
    revokeAllConfirm: 'Sí, revocar todos',
    nextPage: 'Página siguiente',
    firstPage: 'Primera página',
    done: {
      renamed: 'Renombrado.',
      revoked: 'Revocado. El programa será rechazado desde su próxima solicitud.',
      'revoked-all': 'Todos están revocados.'
    }
  },

  connections: {
    title: 'Cuentas conectadas',
    intro: 'Cuentas de otros servicios que ha conectado. Sus tokens se guardan cifrados.',
    none: 'Aún no ha conectado ninguna cuenta.',
    noneAdvice: 'Elija un servicio abajo. Iniciará sesión allí y dirá qué puede usarse.',
    noProviders: 'Aquí no puede conectarse ningún otro servicio, así que no hay nada que hacer en esta página.',
    status: { connected: 'Conectada', needs_reconnect: 'Debe volver a conectarse' },
    scopes: 'Puede usarse para',
    noScopes: 'el servicio no lo ha indicado',
    since: 'Conectada',
    signIn: 'Inicio de sesión',
    uses: {
      first: 'Inicia sesión con ella.',
      chosen: 'También puede iniciar sesión con ella.',
      connected: 'No sirve para iniciar sesión.'
    },
    choose: {
      connected: 'Quiero iniciar sesión también con esta cuenta',
      chosen: 'No quiero iniciar sesión más con ella'
    },
    chooseNamed: {
      connected: (name) => `Quiero iniciar sesión también con esta cuenta: ${name}`,
      chosen: (name) => `No quiero iniciar sesión más con ella: ${name}`
    },
    disconnect: 'Desconectar',
    disconnectNamed: (name) => `Desconectar ${name}`,
    addTitle: 'Conectar otra cuenta',
    connect: (provider) => `Conectar ${provider}`,
    reconnect: (provider) => `Volver a conectar ${provider}`,
    done: {
      connected: 'La cuenta está conectada.',
      disconnected: 'La cuenta está desconectada, aquí y en el servicio.',
      'disconnected-here':
        'La cuenta está desconectada aquí. El servicio no pudo confirmarlo: puede poner fin al acceso allí, en su configuración.',
      'signs-in': 'Desde ahora puede iniciar sesión aquí también con esta cuenta.',
      'signs-in-no-more': 'Ya no puede iniciar sesión aquí con esta cuenta. Sigue conectada.',
      failed: 'El servicio indica que algo salió mal allí. No se ha conectado nada.',
      denied: 'El servicio indica que usted no dio su consentimiento. No se ha conectado nada.',
      invalid: 'La respuesta del servicio no correspondía a lo que se inició aquí. No se ha conectado nada.',
      not_fresh: 'El servicio no le pidió que iniciara sesión de nuevo. No se ha conectado nada.',
      taken: 'Esta cuenta ya pertenece aquí a otra persona. No se ha conectado nada.'
    }
  },

  error: {
    title: 'No ha funcionado',
    signInFailed: {
      failed: 'El servicio no pudo iniciar su sesión. Puede intentarlo de nuevo.',
      denied: 'Se canceló el inicio de sesión. Puede intentarlo de nuevo.',
      invalid: 'Este inicio de sesión no comenzó en este navegador, o comenzó hace demasiado tiempo. Empiece de nuevo.',
      not_fresh:
        'El servicio no confirmó que acabara de iniciar sesión de nuevo. Inténtelo otra vez. Si no sirve, cierre la sesión aquí y allí, e iníciela de nuevo.',
      only_connected:
        'Esta cuenta está conectada a un usuario de aquí y no sirve para iniciar sesión. Inicie sesión como lo hizo la primera vez. Después podrá indicar en «Cuentas conectadas» que quiere iniciar sesión también con esta cuenta.'
    },
    badRequest: 'No se pudo leer la solicitud.',
    form: 'Este formulario es demasiado antiguo o no se envió desde esta página. Vuelva atrás e inténtelo de nuevo.',
    lostCookies:
      'Su navegador no devolvió ninguna cookie, así que no es posible saber si este formulario es suyo. O bien estuvo abierto demasiado tiempo: vuelva atrás y cárguelo de nuevo. O bien su navegador no guarda cookies seguras de una dirección que empieza por http://, y Safari no lo hace ni siquiera en este equipo: use otro navegador, como Chrome o Firefox, o una dirección que empiece por https://.',
    forbidden: 'Eso no está permitido.',
    blocked:
      'Su cuenta está bloqueada aquí: no puede iniciar sesión ni aprobar nada. Pregunte a quien administra este servicio.',
    notFound: 'Esta página no existe.',
    method: 'Esta página no puede usarse así.',
    tooMany: (when) => `Demasiados intentos. Inténtelo de nuevo ${when}.`,
    unavailable: 'No es posible en este momento. Inténtelo de nuevo dentro de un momento.',
    internal: 'Algo ha salido mal aquí. No se debe a nada que usted haya hecho.',
    reference: (id) => `Si pide ayuda, mencione esto: ${id}`,
    home: 'Volver al inicio'
  }
}
