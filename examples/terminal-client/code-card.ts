/**
 * Shows the user code in a box, the address to enter it at and, on a terminal, a QR code of the address with the code filled
 * in. On a screen too narrow for both side by side, the QR code comes first.
 */
import qrcode from 'qrcode'
import type { Grant } from './grant-answers.js'
import { INDENT, printable, type Screen } from './screen.js'

/** The width of the quiet zone, left and right together, in modules: the small renderer of qrcode draws one on each side. */
const QR_BORDER = 2
const GAP = '   '

export async function showCode(screen: Screen, grant: Grant, withQr: boolean): Promise<void> {
  const text = codeLines(screen, grant)
  screen.line()
  if (!withQr) {
    for (const line of text) screen.line(line.styled)
    return
  }

  const qr = await drawQr(grant.verification_uri_complete)
  const widestText = Math.max(...text.map((line) => line.width))
  const fits = INDENT.length + qr.width + GAP.length + widestText <= screen.columns
  const first = Math.floor((qr.lines.length - text.length) / 2)
  for (const [index, line] of qr.lines.entries()) {
    const beside = fits ? text[index - first] : undefined
    screen.line(beside ? `${line}${GAP}${beside.styled}`.trimEnd() : line)
  }
  if (fits) return
  screen.line()
  for (const line of text) screen.line(line.styled)
}

interface CodeLine {
  styled: string
  width: number
}

function codeLines(screen: Screen, grant: Grant): CodeLine[] {
  const code = printable(grant.user_code)
  const address = printable(grant.verification_uri)
  const plain = (text: string): CodeLine => ({ styled: text, width: text.length })
  const edge = '─'.repeat(code.length + 6)
  return [
    plain('Your code'),
    plain(`┌${edge}┐`),
    { styled: `│   ${screen.style(['bold', 'cyan'], code)}   │`, width: code.length + 8 },
    plain(`└${edge}┘`),
    plain(''),
    plain('Enter it at'),
    { styled: screen.style('underline', address), width: address.length }
  ]
}

async function drawQr(text: string): Promise<{ lines: string[]; width: number }> {
  // A screen needs little error correction, and the lowest level gives the smallest QR code.
  const options = { errorCorrectionLevel: 'L' } as const
  const drawn = await qrcode.toString(text, { ...options, type: 'terminal', small: true })
  const lines = drawn.split('\n').filter((line) => /[▀▄█]/.test(line))
  return { lines, width: qrcode.create(text, options).modules.size + QR_BORDER }
}
