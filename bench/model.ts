/**
 * npm run bench:model [-- --publish]: what 10, 100 and 1,000 million pending clients would cost, and what breaks first. Arithmetic over the
 * last result of the benchmarks and the assumptions of bench/model/assumptions.ts; nothing is started. `--publish` writes it into
 * docs/large-deployments.md, as `npm run bench -- --save` does.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { MODEL_DOCUMENT, modelTables, publishModel } from './model/publish.js'
import { RESULT } from './support/publish.js'

const { values } = parseArgs({ options: { publish: { type: 'boolean' } } })
const inRoot = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url))
const result = JSON.parse(readFileSync(inRoot(RESULT), 'utf8'))
for (const [name, text] of modelTables(result)) console.log(`${name}\n\n${text}\n`)
if (values.publish) {
  const file = inRoot(MODEL_DOCUMENT)
  writeFileSync(file, publishModel(result, readFileSync(file, 'utf8')))
}
