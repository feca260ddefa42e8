/** The result of a whole run as it is stored, and how its figures are found again. */
import type { Figure, Section } from './report.js'
import type { Sizes } from './sizes.js'

export interface Result {
  at: string
  machine: Readonly<Record<string, string>>
  sizes: Sizes
  seconds: number
  sections: readonly (Section & { id: string })[]
}

export function sectionOf({ sections }: Result, id: string): Section {
  const section = sections.find((candidate) => candidate.id === id)
  if (!section) throw new Error(`the result has no section ${id}`)
  return section
}

export function figureOf(result: Result, id: string, name: string): Figure {
  const figure = sectionOf(result, id).figures.find((candidate) => candidate.name === name)
  if (!figure) throw new Error(`section ${id} has no figure "${name}"`)
  if (!Number.isFinite(figure.value)) throw new Error(`figure "${name}" of section ${id} is no number`)
  return figure
}

export function numberOf(result: Result, id: string, name: string): number {
  return figureOf(result, id, name).value
}

/** Returns the rounds whose median the figure is. */
export function roundsOf(result: Result, id: string, name: string): number[] {
  const { figures } = sectionOf(result, id)
  return figures.filter((figure) => figure.name.startsWith(`${name}, round `)).map(({ value }) => value)
}
