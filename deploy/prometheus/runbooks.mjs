// Prints the alerts with the address of your own runbook in every one of them: whoever is woken at night follows it from a phone,
// where a path in a repository leads nowhere. Each alert goes to the heading of its name there, as docs/operations.md has it.
//
//   RUNBOOK_BASE=https://wiki.acme.example/grantd/operations node deploy/prometheus/runbooks.mjs > alerts.yaml
import { readFileSync } from 'node:fs'

function fail(sentence) {
  process.stderr.write(`RUNBOOK_BASE: ${sentence}\n`)
  process.exit(2)
}

const base = process.env.RUNBOOK_BASE ?? ''
if (!URL.canParse(base) || !/^https?:$/.test(new URL(base).protocol)) {
  fail('expected the absolute http or https URL of the page that has a heading for each alert')
}
if (/[\s'"#]/.test(base)) fail('expected a URL without a fragment, spaces and quotes: each alert adds its own fragment')

const alerts = readFileSync(new URL('./alerts.yaml', import.meta.url), 'utf8')
process.stdout.write(alerts.replace(/^( +runbook_url: )\S+(#\w+)$/gm, (_line, name, heading) => name + base + heading))
