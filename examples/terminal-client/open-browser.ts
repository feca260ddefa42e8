/**
 * Opens a page in the browser of this machine (`--open`) by the command that each system has for it, and never through
 * a shell.
 */
import { spawn } from 'node:child_process'

/** rundll32 is used because `start` is a command of the shell and no program. */
const OPENERS: Partial<Record<NodeJS.Platform, [command: string, ...args: string[]]>> = {
  darwin: ['open'],
  win32: ['rundll32', 'url.dll,FileProtocolHandler']
}
const ELSEWHERE: [command: string, ...args: string[]] = ['xdg-open']

/** Resolves when the opener has ended. Rejects with the reason if it failed, or if the service named no web page. */
export async function openInBrowser(address: string): Promise<void> {
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:') throw new Error('the service named no web page')
  const [command, ...args] = OPENERS[process.platform] ?? ELSEWHERE
  // The browser outlives the demo, and the demo does not wait for it.
  const child = spawn(command, [...args, url.href], { stdio: 'ignore', detached: true })
  child.unref()
  await new Promise<void>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      reject(new Error(error.code === 'ENOENT' ? `there is no ${command} here` : error.message))
    )
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${command} failed`))))
  })
}
