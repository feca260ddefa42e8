/**
 * The waiting indicator: on a terminal a spinner with a countdown, above which notes are written; elsewhere a plain line at the
 * start.
 */
import { INDENT, type Screen } from './screen.js'

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const FRAME_MS = 100
const CLEAR_LINE = '\r\x1b[2K'
const HIDE_CURSOR = '\x1b[?25l'
const SHOW_CURSOR = '\x1b[?25h'

export interface Waiting {
  note(text: string): void
  end(): void
}

/** Says what is waited for, and counts down how long it takes at most. */
export function showWaiting(screen: Screen, what: string, forSeconds: number): Waiting {
  if (!screen.isLively) {
    screen.line(`${what}.`)
    return { note: screen.line, end() {} }
  }

  const startedMs = performance.now()
  const draw = () => {
    const passedMs = performance.now() - startedMs
    const frame = FRAMES[Math.floor(passedMs / FRAME_MS) % FRAMES.length] ?? ''
    const left = countdown(Math.max(0, forSeconds - Math.floor(passedMs / 1000)))
    const aside = screen.style('dim', `· ${left} left · Ctrl-C ends`)
    screen.write(`${CLEAR_LINE}${INDENT}${screen.style('cyan', frame)} ${what} ${aside}`)
  }

  screen.write(HIDE_CURSOR)
  draw()
  const timer = setInterval(draw, FRAME_MS)
  return {
    note(text) {
      screen.write(CLEAR_LINE)
      screen.line(text)
      draw()
    },
    end() {
      clearInterval(timer)
      screen.write(`${CLEAR_LINE}${SHOW_CURSOR}`)
    }
  }
}

function countdown(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}
