/** The operator's colour and logo on the pages: what is refused at start, and what the pages show. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { accentsOf, brandColorFault, CARDS, contrast } from '../../../src/config/brand-color.js'
import { readLogoFile } from '../../../src/config/named-files.js'
import { svgFault } from '../../../src/config/svg.js'
import { startApp } from '../../support/app.js'
import { inRoot } from '../../support/root.js'
import { createVisitor } from '../../support/visitor.js'
import { pageHeaders, shows } from './expectations.js'

const directory = mkdtempSync(join(tmpdir(), 'grantd-brand-'))
t.teardown(() => rmSync(directory, { recursive: true }))

/** Writes a file with this content and returns its path. */
function fileOf(name: string, content: string | Buffer): string {
  const file = join(directory, name)
  writeFileSync(file, content)
  return file
}

const NAMESPACE = 'xmlns="http://www.w3.org/2000/svg"'
const drawing = (inside: string, more = 'viewBox="0 0 120 28"') => `<svg ${NAMESPACE} ${more}>${inside}</svg>`

/** An SVG as drawing programs write it when they export a plain one. */
const LOGO = `<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<!-- Drawn by hand -->
${drawing(
  `
  <title>Acme &amp; Söhne &#x2014; &lt;logo&gt;</title>
  <defs>
    <linearGradient id="a" x1="0" x2="1"><stop offset="0" stop-color="#70f"/><stop offset="1" stop-color='#0af'/></linearGradient>
    <style type="text/css">.a { fill: url(#a) } .b { fill: url("#a"); stroke: none }</style>
    <path id="p" d="M0 0h28v28H0z"/>
  </defs>
  <use xlink:href="#p" class="a" ><title>A part</title></use>
  <g fill="url( '#a' )" style="opacity:.9" transform="translate(0 1)"><circle cx="14" cy="14" r="6"/></g>
`,
  'xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 28 28" xml:space="preserve"'
)}
`

t.test('a colour that people cannot read is refused, with the figure and one that would do', async (t) => {
  for (const color of ['#0b57c4', '#000000', '#767676', '#b00020', '#7c3aed', '#007a3d']) {
    t.equal(brandColorFault(color), undefined, color)
    t.ok(contrast(color, CARDS.light) >= 4.5)
  }
  for (const [color, figure] of [
    ['#777777', '4.47'],
    ['#f00', '3.99'],
    ['#ffcc00', '1.51'],
    ['#ffffff', '1.00']
  ] as const) {
    const fault = brandColorFault(color)
    t.match(fault, `its contrast with white is ${figure}:1, as text and as a button it needs 4.5:1`)
    const [, instead = ''] = /; (#[0-9a-f]{6}) would do$/.exec(fault ?? '') ?? []
    t.equal(brandColorFault(instead), undefined, `${color}: ${instead} does`)
  }
  await t.rejects(startApp(t, { BRAND_COLOR: '#fc0' }), { message: /BRAND_COLOR: its contrast with white is 1\.51:1/ })
})

t.test('the accents made of a colour can be read in both schemes, whatever its hue', async (t) => {
  let colors = 0
  for (let number = 0; number < 0x1000; number++) {
    const color = `#${number.toString(16).padStart(3, '0')}`
    if (brandColorFault(color) !== undefined) continue
    colors += 1
    const { light, dark } = accentsOf(color)
    const ratios = [
      contrast(light.color, CARDS.light),
      contrast(light.color, light.onColor),
      contrast(light.pressed, light.onColor),
      contrast(dark.color, CARDS.dark),
      contrast(dark.color, dark.onColor),
      contrast(dark.pressed, dark.onColor)
    ]
    if (ratios.some((ratio) => !(ratio >= 4.5))) t.fail(color, { ratios, light, dark })
    if (![light, dark].every((accent) => Object.values(accent).every((one) => /^#[0-9a-f]{6}$/.test(one))))
      t.fail(color)
  }
  t.ok(colors > 1_000, `${colors} colours`)
})

t.test('the style sheet has the cards that colours are checked against', async (t) => {
  const css = readFileSync(inRoot('src/routes/pages/assets/styles/base.css'), 'utf8')
  const cards = [...css.matchAll(/--card: (#[0-9a-f]{6});/g)].map(([, color]) => color)
  t.strictSame(cards, [CARDS.light, CARDS.dark])
})

t.test('a logo may draw', async (t) => {
  const good = {
    LOGO,
    'a mark of the order of bytes': `\uFEFF${drawing('')}`,
    'width and height': drawing('<rect width="1" height="1"/>', 'width="28" height="28"'),
    'what only sounds dangerous': drawing('<title>script onload= javascript:alert(1) url(x) @import</title>'),
    text: drawing('<text x="1" y="2" font-family="sans-serif">Acme<tspan>!</tspan></text>'),
    filters: drawing('<filter id="f"><feGaussianBlur stdDeviation="1"/></filter><g filter="url(#f)"/>')
  }
  for (const [name, svg] of Object.entries(good)) t.equal(svgFault(svg), undefined, name)
})

t.test('a logo may do nothing else', async (t) => {
  const bad: [svg: string, fault: RegExp][] = [
    [drawing('<script>alert(1)</script>'), /^line 1: <script> is not among what may be in a logo$/],
    [drawing('\n\n<script href="#a"/>'), /^line 3: <script>/],
    [drawing('<SCRIPT/>'), /<SCRIPT> is not among/],
    [drawing('<a href="#x"/>'), /<a> is not among/],
    [drawing('<foreignObject/>'), /<foreignObject> is not among/],
    [drawing('<image href="#x"/>'), /<image> is not among/],
    [drawing('<animate attributeName="href" values="javascript:alert(1)"/>'), /<animate> is not among/],
    [drawing('<set attributeName="href" to="javascript:alert(1)"/>'), /<set> is not among/],
    [drawing('<handler/>'), /<handler> is not among/],
    [drawing('<x:script xmlns:x="http://www.w3.org/2000/svg"/>'), /<x:script> is not among/],
    [drawing('<g xmlns="http://www.w3.org/1999/xhtml"/>'), /<g> is not of the namespace of SVG/],
    [drawing('<g onclick="alert(1)"/>'), /<g> has onclick, an event handler$/],
    [drawing('', 'viewBox="0 0 1 1" onload="alert(1)"'), /<svg> has onload, an event handler/],
    [drawing('<g OnClick = "x"/>'), /has OnClick, an event handler/],
    [drawing('<use href="https://evil.example/x.svg#a"/>'), /<use> has href that does not begin with #/],
    [drawing('<use href="&#104;ttps://evil.example"/>'), /has href that does not/],
    [drawing('<use xlink:href="data:image/svg+xml,x"/>'), /has xlink:href that does not/],
    [drawing('<use l:href="javascript:alert(1)" xmlns:l="http://www.w3.org/1999/xlink"/>'), /has l:href that does not/],
    [drawing('<g xml:base="https://evil.example/"/>'), /has xml:base/],
    [drawing('<g fill="url(https://evil.example/x.svg#a)"/>'), /<g> fill holds url\(\) of something else/],
    [drawing('<g style="background: URL( \'//evil.example\' )"/>'), /style holds url\(\)/],
    [drawing('<g style="fill: u\\72l(//evil.example)"/>'), /style holds a \\/],
    [drawing('<g style="background: image-set(&quot;//evil.example&quot; 1x)"/>'), /loads a picture/],
    [drawing('<style>@import "//evil.example/x.css";</style>'), /^line 1: <style> holds @import/],
    [drawing('<style>@im<!-- half -->port "//evil.example/x.css";</style>'), /<style> holds @import/],
    [drawing('<style>&#64;import "x"</style>'), /<style> holds @import/],
    [drawing('<style>@font-face { src: url(//evil.example/x.woff) }</style>'), /<style> holds url\(\)/],
    [`<!DOCTYPE svg [<!ENTITY x "y">]>${drawing('')}`, /^line 1: a DOCTYPE is not allowed$/],
    [drawing('&x;'), /has a & that begins no entity/],
    [drawing('<g class="&nbsp;"/>'), /has a & in class/],
    [drawing('<![CDATA[<script>]]>'), /CDATA is not allowed/],
    [`<?xml-stylesheet href="//evil.example"?>${drawing('')}`, /processing instruction/],
    [drawing('<?php x ?>'), /processing instruction/],
    [drawing('<g>'), /<\/svg> ends what did not begin/],
    [`<svg ${NAMESPACE} viewBox="0 0 1 1">`, /<svg> does not end/],
    [drawing('<g class="a" class="b"/>'), /has class twice/],
    [drawing('<g class=a/>'), /is not well-formed XML/],
    [drawing('<g class="a<b"/>'), /is not well-formed XML/],
    [drawing('<!-- a -- b -->'), /is not well-formed XML/],
    [drawing('<g'), /is not well-formed XML/],
    [drawing('\u0000'), /characters that XML does not allow/],
    [`${drawing('')}${drawing('')}`, /is not one svg element/],
    [`${drawing('')}text`, /text outside/],
    [`<html>${drawing('')}</html>`, /is not one svg element/],
    ['', /is not an SVG/],
    ['{"logo": true}', /text outside/],
    ['<svg viewBox="0 0 1 1"/>', /lacks xmlns=/],
    [drawing('', 'width="28"'), /lacks a viewBox/]
  ]
  for (const [svg, fault] of bad) t.match(svgFault(svg), fault, svg.slice(0, 100))
  t.ok(svgFault(drawing(`<g ${' '.repeat(60_000)}=`)), 'and is read in no time, however it is written')
})

t.test('what is no such file is refused with the reason', async (t) => {
  const faultsOf = (path: string) => readLogoFile(path).faults
  t.strictSame(faultsOf(fileOf('good.svg', LOGO)), [])
  t.strictSame(faultsOf(join(directory, 'missing.svg')), ['cannot be read: ENOENT'])
  t.strictSame(faultsOf(directory), ['is no file'])
  t.strictSame(faultsOf('/dev/zero'), ['is no file'], 'nor is what never ends')
  const whole = drawing(`<!--${'x'.repeat(65_536 - drawing('<!---->').length)}-->`)
  t.strictSame(faultsOf(fileOf('whole.svg', whole)), [], '64 KiB are not too many')
  t.match(faultsOf(fileOf('large.svg', `${whole} `)), [/^has 65537 bytes, at most 65536 \(64 KiB\) are allowed$/])
  t.strictSame(faultsOf(fileOf('latin.svg', Buffer.from(drawing('<title>é</title>'), 'latin1'))), [
    'is not text in UTF-8'
  ])
  await t.rejects(startApp(t, { BRAND_LOGO_FILE: fileOf('bad.svg', drawing('<a/>')) }), {
    message: /BRAND_LOGO_FILE: line 1: <a> is not among what may be in a logo/
  })
})

t.test('two services of one process each have their own look', async (t) => {
  const plain = createVisitor(await startApp(t, { SERVICE_NAME: 'Plain' }))
  const acme = createVisitor(
    await startApp(t, {
      SERVICE_NAME: 'Acme "& Sons"',
      BRAND_COLOR: '#7C3AED',
      BRAND_LOGO_FILE: fileOf('acme.svg', LOGO),
      PUBLIC_URL: 'http://localhost:3333/in/here'
    })
  )
  const [ours, theirs] = [await plain.get('/login'), await acme.get('/login')]
  shows(t, ours, 200, 'Sign in', 'Plain')
  t.match(ours.body, /<p class="service"><img src="\/assets\/icon-[0-9a-f]{16}\.svg" alt\/>Plain<\/p>/)
  const logo = /<p class="service"><img src="(\/in\/here\/assets\/logo-[0-9a-f]{16}\.svg)" alt="([^"]*)"\/><\/p>/
  const [, url = '', name] = logo.exec(theirs.body) ?? []
  t.equal(name, 'Acme &quot;&amp; Sons&quot;', 'the logo is read out as the name')

  const answer = await acme.get(url.replace('/in/here', ''))
  t.strictSame([answer.status, answer.body, answer.headers['content-type']], [200, LOGO, 'image/svg+xml'])
  const { 'content-security-policy': policy, ...others } = answer.headers
  t.equal(
    policy,
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox",
    'nothing runs in it'
  )
  t.equal(others['x-content-type-options'], 'nosniff')
  t.equal(others['cache-control'], 'public, max-age=31536000, immutable')
  t.notMatch((await plain.get('/login')).body, /logo-/)

  const styleOf = async (visitor: typeof plain, { body }: typeof ours) => {
    const [, path = ''] = /<link rel="stylesheet" href="([^"]+)"/.exec(body) ?? []
    const sheet = await visitor.get(path.replace('/in/here', ''))
    t.equal(sheet.status, 200, path)
    pageHeaders(t, { headers: { ...sheet.headers, 'cache-control': 'no-store' } })
    t.notMatch(sheet.body, /url\(|@import/, 'it loads nothing')
    return { path, css: sheet.body }
  }
  const [before, after] = [await styleOf(plain, ours), await styleOf(acme, theirs)]
  t.match(before.css, ':root { --accent: #0b57c4; --on-accent: #ffffff; --accent-pressed: #0947a1; }')
  t.match(after.css, ':root { --accent: #7c3aed; --on-accent: #ffffff;')
  t.match(after.css, /prefers-color-scheme: dark\) \{ :root \{ --accent: #b793f5;/)
  t.not(before.path.slice(-20), after.path.replace('/in/here', '').slice(-20), 'under addresses of their own')
  const [, icon = ''] = /<link rel="icon" type="image\/svg\+xml" href="([^"]+)"/.exec(theirs.body) ?? []
  t.match((await acme.get(icon.replace('/in/here', ''))).body, 'color="#7c3aed"')
})
