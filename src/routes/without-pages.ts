/** What stands in for the pages where nobody signs in here: a sentence at `/`, and JSON for every path that leads nowhere. */
import accepts from '@fastify/accepts'
import { surface } from './app.js'
import { answerNowhere } from './unroutable.js'

export const withoutPages = surface('without-pages', ['config'], async (app) => {
  await app.register(accepts)
  const { publicUrl, verificationUri, showsDocs } = app.config
  const start = {
    description: 'Programs ask here for access to an account, and its owner decides in a browser.',
    verification_uri: verificationUri,
    ...(showsDocs && { documentation: `${publicUrl}/docs` }),
    openapi: `${publicUrl}/openapi.json`
  }
  const text = `grantd

${start.description}

Enter a code:   ${verificationUri}
Read the API:   ${start.documentation ?? start.openapi}
`
  app.get('/', { config: { page: true } }, async (request, reply) =>
    request.accepts().type(['json', 'html']) === 'html' ? reply.type('text/plain; charset=utf-8').send(text) : start
  )
  app.setNotFoundHandler(answerNowhere)
})
