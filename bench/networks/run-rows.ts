/** Runs the rows one after the other, from inside of the clients' namespace, and prints and writes each as soon as it is there. */
import { createLifetime } from '../support/lifetime.js'
import { redisVersion } from '../support/machine.js'
import { joinNetwork } from './namespaces.js'
import { cellsOf, writeRow } from './report.js'
import { ROWS, type Row } from './rows.js'
import { runRow } from './run-row.js'

const LIMIT_SECONDS = 720

export async function runRows(run: string, rows: readonly Row[]): Promise<void> {
  const lifetime = createLifetime(LIMIT_SECONDS)
  const network = joinNetwork(run)
  const versions = `${new Date().toISOString().slice(0, 10)}, Redis ${redisVersion()}, Node ${process.versions.node}`
  try {
    for (const row of rows) {
      const startedAt = performance.now()
      const result = await runRow({ teardown: lifetime.ends }, network, row, lifetime.directory)
      const cells = cellsOf(row, result, versions)
      writeRow(
        row,
        cells,
        ROWS.map(({ name }) => name)
      )
      console.log(
        `${row.name} (${Math.round((performance.now() - startedAt) / 1_000)} s): ${cells.slice(1).join(' | ')}`
      )
      for (const violation of result.violations) console.error(`  ${violation}`)
      if (result.violations.length > 0) process.exitCode = 1
      await lifetime.endSection()
    }
  } catch (error) {
    // Stopping the run makes it fail too; that error says nothing new.
    if (!lifetime.isOver()) throw error
  } finally {
    await lifetime.end()
  }
}
