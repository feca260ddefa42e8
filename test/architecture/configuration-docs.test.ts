import { readFile } from 'node:fs/promises'
import type { TSchema } from '@sinclair/typebox'
import t from 'tap'
import { EnvironmentSchema } from '../../schemas/config.js'

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8')

interface Row {
  name: string
  fallback: string
  description: string
}

/** Returns the rows "| `NAME` | default | description |" of docs/configuration.md. */
async function rows(): Promise<Row[]> {
  const text = await read('docs/configuration.md')
  return [...text.matchAll(/^\| *`([A-Z][A-Z0-9_]*)` *\|([^|\n]*)\|((?:[^|\n]|\\\|)*)\| *$/gm)].map(
    ([, name = '', fallback = '', description = '']) => ({
      name,
      fallback: fallback.trim().replaceAll('`', ''),
      description: description.trim()
    })
  )
}

/** Returns the default as the table must show it: the value, or any sign for none (a dash, "none", …). */
function shownDefault(schema: TSchema): string {
  const { default: value } = schema as { default?: unknown }
  return value === undefined || (Array.isArray(value) && value.length === 0) ? '' : String(value)
}

const isNothing = (text: string) => /^(|-|–|—|none|unset|not set|empty|required)$/i.test(text)

t.test('the README leads to the table', async (t) => {
  t.match(await read('README.md'), '](docs/configuration.md)')
})

t.test('the table of docs/configuration.md', async (t) => {
  const documented = await rows()
  const variables = Object.entries<TSchema>(EnvironmentSchema.properties)

  t.test('lists exactly the variables there are, in their order', async (t) => {
    t.ok(variables.length >= 25, `${variables.length} variables`)
    t.strictSame(
      documented.map(({ name }) => name),
      variables.map(([name]) => name)
    )
  })

  t.test('gives the defaults there are', async (t) => {
    let looked = 0
    for (const [name, schema] of variables) {
      const row = documented.find((candidate) => candidate.name === name)
      const wanted = shownDefault(schema)
      if (wanted === '') t.ok(isNothing(row?.fallback ?? 'absent'), `${name} has no default: "${row?.fallback}"`)
      else t.equal(row?.fallback.replaceAll(/[ ,_](?=\d{3})/g, ''), wanted, name)
      looked += 1
    }
    t.equal(looked, variables.length)
  })

  t.test('says something about each', async (t) => {
    for (const { name, description } of documented) t.ok(description.length >= 10, `${name}: ${description}`)
    t.ok(documented.length > 0)
  })
})
