/** Runs npm, and what it has installed, in a folder of a test. */
import { execFile } from 'node:child_process'
import type { Run } from './programs.js'

/** The settings by which npm finds a registry, in every form; nothing else of the npm that runs the tests is passed on. */
const OF_NPM =
  /^(npm_config_(registry|cache|userconfig|globalconfig|cafile|proxy|https_proxy|noproxy)|https?_proxy|no_proxy)$/i

export const NPM_ENV = {
  PATH: process.env.PATH,
  HOME: process.env.HOME,
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => OF_NPM.test(name)))
}

/** Runs a command there, and waits for its end. */
export function runIn(
  cwd: string,
  command: string,
  args: string[],
  variables: Record<string, string> = {}
): Promise<Run> {
  return new Promise((resolve) => {
    execFile(command, args, { cwd, env: { ...NPM_ENV, ...variables } }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr })
    )
  })
}
