/**
 * Reads the pages of grantd as far as a program needs them: their forms, and the facts of the question. It is strict, and made for
 * these pages alone, which are well-formed, escape what they show and hold no script. For any other page take an HTML parser.
 */

export interface Page {
  status: number
  url: URL
  heading: string
  /** The terms and descriptions (`dt` and `dd`) as text. */
  facts: [term: string, text: string][]
  forms: Form[]
}

export interface Form {
  /** The URL that the form is sent to. */
  action: URL
  fields: Field[]
}

export interface Field {
  name: string
  kind: 'hidden' | 'text' | 'checkbox' | 'button'
  /** The current value; of a checkbox or button, what is sent when it is ticked or pressed. */
  value: string
}

/** A tag with its attributes. Inside a quoted value `<` and `>` mean nothing. */
const TAG = /<(\/?[a-z][a-z0-9]*)((?:\s+[a-z-]+(?:="[^"]*")?)*)\s*\/?>/gi
const ATTRIBUTE = /([a-z-]+)(?:="([^"]*)")?/gi
const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }

export function readPage(status: number, url: URL, html: string): Page {
  const page: Page = { status, url, heading: textWithin(html, 'h1')[0] ?? '', facts: [], forms: [] }
  const [terms, texts] = [textWithin(html, 'dt'), textWithin(html, 'dd')]
  page.facts = terms.map((term, index) => [term, texts[index] ?? ''])

  let form: Form | undefined
  for (const [, tag = '', inside = ''] of html.matchAll(TAG)) {
    const attributes = readAttributes(inside)
    if (tag === 'form') {
      form = { action: new URL(attributes.get('action') ?? '', url), fields: [] }
      page.forms.push(form)
    } else if (tag === '/form') {
      form = undefined
    } else if (tag === 'input' || tag === 'button') {
      const field = readField(tag, attributes)
      if (field) form?.fields.push(field)
    }
  }
  return page
}

/**
 * What the form sends when it is filled in like this: hidden fields as they are, texts and ticks as answered, and the button that
 * was pressed. Throws if the form lacks what is answered, or asks for what is not.
 */
export function fillIn(form: Form, answers: Record<string, string>): URLSearchParams {
  const sent = new URLSearchParams()
  const open = new Map(Object.entries(answers))
  for (const { name, kind, value } of form.fields) {
    const answer = open.get(name)
    const isChosen = kind === 'text' ? answer !== undefined : answer === value
    if (kind === 'hidden') sent.append(name, value)
    else if (isChosen) sent.append(name, answer as string)
    else if (kind === 'text') throw new Error(`the form asks for "${name}"`)
    if (isChosen) open.delete(name)
  }
  for (const [name, value] of open) throw new Error(`the form has no "${name}" that could be "${value}"`)
  return sent
}

function readField(tag: string, attributes: Map<string, string>): Field | undefined {
  const name = attributes.get('name')
  // A button without a name sends nothing of itself.
  if (name === undefined) return undefined
  const type = attributes.get('type')
  const kind = tag === 'button' ? 'button' : type === 'hidden' || type === 'checkbox' ? type : 'text'
  return { name, kind, value: attributes.get('value') ?? '' }
}

function readAttributes(text: string): Map<string, string> {
  return new Map([...text.matchAll(ATTRIBUTE)].map(([, name = '', value = '']) => [name.toLowerCase(), decode(value)]))
}

/** Links inside a description are actions, so they are left out of its text. */
const LINK = /<a\s[^>]*>[^<]*<\/a>/g

/** The texts of all elements of this name, without the tags inside them. Elements of one name do not nest on these pages. */
function textWithin(html: string, name: string): string[] {
  const elements = html.matchAll(new RegExp(`<${name}(?:\\s[^>]*)?>([\\s\\S]*?)</${name}>`, 'g'))
  return [...elements].map(([, inside = '']) =>
    decode(inside.replace(LINK, '').replace(TAG, ' ')).replace(/\s+/g, ' ').trim()
  )
}

const decode = (text: string) => text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => ENTITIES[name] ?? '')
