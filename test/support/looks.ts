/**
 * Checks of a page that is open in a browser: all rules of axe-core, texts that stick out or overlap, and the page in
 * other languages.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

/** The source of axe-core. Adding it to a page takes a quarter of a second. */
export const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
/**
 * All rules of axe run, even experimental ones, but for these two. The pages are made for the contrast of level AA, not
 * AAA. The user code is a paragraph as large as a heading because users must compare it.
 */
const NOT_ASKED_FOR = ['color-contrast-enhanced', 'p-as-heading']
/** The rules that look at colours. They take half of the time. */
const OF_COLOURS = ['color-contrast', 'link-in-text-block']
const run = (isAskedFor: string) => `(async () => {
  const rules = axe.getRules().map(({ ruleId }) => [ruleId, { enabled: (${isAskedFor})(ruleId) }])
  const { violations, incomplete, passes, inapplicable } = await axe.run(document, { rules: Object.fromEntries(rules) })
  return {
    found: [...violations, ...incomplete].flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => ({ id, html, failureSummary }))
    ),
    rules: violations.length + incomplete.length + passes.length + inapplicable.length
  }
})()`

const not = (rules: string[]) => `(rule) => !${JSON.stringify(rules)}.includes(rule)`
const RUNS = {
  all: run(not(NOT_ASKED_FOR)),
  /** What another colour scheme can change. */
  'of colours': run(`(rule) => ${JSON.stringify(OF_COLOURS)}.includes(rule)`),
  /** What another language can change. */
  'but of colours': run(not([...NOT_ASKED_FOR, ...OF_COLOURS]))
}

/** Runs axe on the page as it is. Returns its findings and the number of rules that ran. */
export const runAxe = (page: Page, rules: keyof typeof RUNS = 'all') =>
  page.evaluate<{ found: object[]; rules: number }>(RUNS[rules])

/**
 * Reports each line of text that leaves the window or its element, or overlaps another line, and each code that takes two
 * lines. Two lines may overlap by a quarter of their height, since a font is taller than its letters.
 */
const LAYOUT = `() => {
  const faults = []
  if (document.documentElement.scrollWidth > innerWidth) faults.push('the page sticks out of its window')
  for (const whole of document.querySelectorAll('.whole')) {
    if (whole.getClientRects().length > 1) faults.push('is broken into lines: ' + whole.textContent)
  }
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  const lines = []
  while (walker.nextNode()) {
    const text = walker.currentNode
    const element = text.parentElement
    if (!text.data.trim() || element.closest('.skip') || !element.checkVisibility()) continue
    const range = document.createRange()
    range.selectNodeContents(text)
    const holder = element.closest('button, .button, .badge, nav a, .notice, .warning, .check, li, main, header, footer')
    const { left, right } = holder.getBoundingClientRect()
    for (const rect of range.getClientRects()) {
      if (rect.width === 0) continue
      if (rect.left < left - 1 || rect.right > right + 1) faults.push('sticks out of its place: ' + text.data)
      lines.push({ text, rect })
    }
  }
  lines.forEach(({ text, rect }, index) => {
    for (const other of lines.slice(index + 1)) {
      if (other.text === text) continue
      const wide = Math.min(rect.right, other.rect.right) - Math.max(rect.left, other.rect.left)
      const high = Math.min(rect.bottom, other.rect.bottom) - Math.max(rect.top, other.rect.top)
      if (wide > 2 && high > Math.min(rect.height, other.rect.height) / 4) {
        faults.push('lies on something else: ' + text.data + ' / ' + other.text.data)
      }
    }
  })
  return { faults, lines: lines.length }
}`

export interface Layout {
  faults: string[]
  lines: number
}

/** Runs LAYOUT in a page of any browser. Resolves to its reports and to the number of lines it compared. */
export const lookAtLayout = (page: { evaluate(script: string): Promise<unknown> }) =>
  page.evaluate(`(${LAYOUT})()`) as Promise<Layout>

/** Keeps the document as it is, together with the given translations of it, which are whole documents by language. */
export async function keepTranslations(page: Page, documents: Readonly<Record<string, string>>): Promise<void> {
  await page.evaluate(`{
    const { title, body } = document
    const own = { lang: document.documentElement.lang, title, body }
    const others = Object.entries(${JSON.stringify(documents)}).map(([language, html]) => {
      const { documentElement, title, body } = new DOMParser().parseFromString(html, 'text/html')
      return [language, { lang: documentElement.lang, title, body: document.adoptNode(body) }]
    })
    globalThis.translations = Object.fromEntries([['', own], ...others])
  }`)
}

interface TranslationLooks extends Layout {
  /** A kept language. */
  language: string
  /** What the document says that it is. */
  lang: string
  heading: string
  /** The lower edge of the answers to a question without a warning, before anything is unfolded. */
  answersEnd: number | null
  /** What axe finds, with all rules but that of the colours. Nothing if it was not asked. */
  found: object[]
}

/**
 * Shows each kept translation, unfolds what is folded, and looks at it; then shows the original again. The head stays, and
 * with it the style sheet and axe. All of it is one script, because the browser would paint each of them in between.
 */
export const lookAtTranslations = (page: Page, { asksAxe }: { asksAxe: boolean }) =>
  page.evaluate<TranslationLooks[]>(`(async () => {
    const show = ({ lang, title, body }) => {
      document.documentElement.lang = lang
      document.title = title
      document.body.replaceWith(body)
    }
    const { '': own, ...others } = globalThis.translations
    const looks = []
    for (const [language, translation] of Object.entries(others)) {
      show(translation)
      const isCalm = document.querySelector('.decision') && !document.querySelector('.warning.strong')
      const answersEnd = isCalm ? document.querySelector('.choice').getBoundingClientRect().bottom + scrollY : null
      for (const details of document.querySelectorAll('details')) details.open = true
      looks.push({
        language,
        lang: document.documentElement.lang,
        heading: document.querySelector('h1').innerText,
        answersEnd,
        ...(${LAYOUT})(),
        found: ${asksAxe} ? (await ${RUNS['but of colours']}).found : []
      })
    }
    show(own)
    return looks
  })()`)
