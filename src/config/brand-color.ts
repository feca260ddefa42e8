/**
 * The accent colours of the pages, derived from BRAND_COLOR for each colour scheme, and the check that text in them is
 * readable (contrast by WCAG 2.2). The style sheet has the same card colours; a test compares the two.
 */

/** The backgrounds on which text in the accent colour stands. */
export const CARDS = { light: '#ffffff', dark: '#1a1e24' } as const
/** The contrast that WCAG 2.2 requires of text at level AA (1.4.3). */
const ENOUGH = 4.5
/** On a dark card the accent is as light as secondary text. */
const ENOUGH_IN_THE_DARK = 6.5
const [WHITE, BLACK] = ['#ffffff', '#000000']

/** Colours as `#rrggbb`. */
export interface Accent {
  /** The colour of links, and the background of the main button. */
  readonly color: string
  /** The text colour of the main button. */
  readonly onColor: string
  /** The background of the main button while the pointer is over it. */
  readonly pressed: string
}

/**
 * Returns why a colour cannot be the accent, with its contrast and the nearest colour that can; undefined if it can.
 */
export function brandColorFault(color: string): string | undefined {
  const ratio = contrast(color, CARDS.light)
  if (ratio >= ENOUGH) return undefined
  const nearest = readableOn(CARDS.light, color, -1, ENOUGH)
  // The contrast is rounded down, because 4.496 must not be shown as the required 4.5.
  const figure = (Math.floor(ratio * 100) / 100).toFixed(2)
  return `its contrast with white is ${figure}:1, as text and as a button it needs ${ENOUGH}:1; ${nearest} would do`
}

/** Returns the accents of a colour without a fault. */
export function accentsOf(color: string): { readonly light: Accent; readonly dark: Accent } {
  const full = sixDigits(color)
  const dark = readableOn(CARDS.dark, full, 1, ENOUGH_IN_THE_DARK)
  return {
    light: { color: full, onColor: WHITE, pressed: mix(full, BLACK, 0.18) },
    dark: { color: dark, onColor: mix(CARDS.dark, BLACK, 0.5), pressed: mix(dark, WHITE, 0.25) }
  }
}

/** Returns the contrast ratio of two colours, from 1 to 21. */
export function contrast(one: string, other: string): number {
  const [darker = 0, lighter = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (lighter + 0.05) / (darker + 0.05)
}

/**
 * Returns the nearest colour of the same hue that has the contrast, lighter (1) or darker (-1) in steps of one percent.
 */
function readableOn(card: string, color: string, direction: 1 | -1, enough: number): string {
  const { hue, saturation, lightness } = toHsl(color)
  for (let percent = 0; percent <= 100; percent++) {
    const changed = lightness + (direction * percent) / 100
    const candidate = percent === 0 ? sixDigits(color) : fromHsl(hue, saturation, Math.min(Math.max(changed, 0), 1))
    if (contrast(candidate, card) >= enough) return candidate
  }
  return direction === 1 ? WHITE : BLACK
}

/** Returns the hue in sixths of the circle, and saturation and lightness from 0 to 1. */
function toHsl(color: string) {
  const [red = 0, green = 0, blue = 0] = channels(color).map((value) => value / 255)
  const [least, most] = [Math.min(red, green, blue), Math.max(red, green, blue)]
  const [range, lightness] = [most - least, (most + least) / 2]
  if (range === 0) return { hue: 0, saturation: 0, lightness }
  const hue =
    most === red ? (green - blue) / range : most === green ? (blue - red) / range + 2 : (red - green) / range + 4
  return { hue, saturation: range / (1 - Math.abs(2 * lightness - 1)), lightness }
}

/** Converts HSL to RGB as CSS Color 4 defines it. */
function fromHsl(hue: number, saturation: number, lightness: number): string {
  const spread = saturation * Math.min(lightness, 1 - lightness)
  return toText(
    [0, 8, 4].map((offset) => {
      const place = (offset + 2 * hue + 12) % 12
      return 255 * (lightness - spread * Math.max(-1, Math.min(place - 3, 9 - place, 1)))
    })
  )
}

function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = channels(color).map((value) => {
    const share = value / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function mix(color: string, other: string, share: number): string {
  const others = channels(other)
  return toText(channels(color).map((value, i) => value + ((others[i] ?? 0) - value) * share))
}

const toText = (values: readonly number[]) =>
  `#${values.map((value) => Math.round(value).toString(16).padStart(2, '0')).join('')}`

function channels(color: string): number[] {
  return [1, 3, 5].map((at) => Number.parseInt(sixDigits(color).slice(at, at + 2), 16))
}

/** Expands `#abc` to `#aabbcc`. */
function sixDigits(color: string): string {
  const lower = color.toLowerCase()
  return lower.length === 4 ? `#${[...lower.slice(1)].map((digit) => digit + digit).join('')}` : lower
}
