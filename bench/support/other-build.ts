/** Builds another commit of this repository aside, to measure it against this one. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Lifetime } from './lifetime.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Checks the commit out into the directory of the run, installs what it locks, and builds it. Returns the file of its server. */
export function buildCommit(lifetime: Lifetime, commit: string): string {
  const tree = join(lifetime.directory, 'other-build')
  const run = (cwd: string, command: string, ...args: string[]) =>
    execFileSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
  run(ROOT, 'git', 'worktree', 'add', '--detach', '--force', tree, commit)
  lifetime.endsRun(() => run(ROOT, 'git', 'worktree', 'remove', '--force', tree))
  run(tree, 'npm', 'ci', '--no-fund', '--no-audit', '--silent')
  run(tree, 'npm', 'run', '--silent', 'build')
  return join(tree, 'dist/src/server.js')
}
