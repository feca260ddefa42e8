/**
 * Reads the manifests of deploy/kubernetes as kubectl would send them, and checks them against the types of Kubernetes.
 */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { root } from './root.js'

export const MANIFESTS = join(root, 'deploy/kubernetes')

// biome-ignore lint/suspicious/noExplicitAny: objects of every kind
export type Manifest = any

/** Reads all objects of a file. Throws if the YAML has errors or warnings. */
export function readManifests(file: string): Manifest[] {
  return parseAllDocuments(readFileSync(join(MANIFESTS, file), 'utf8')).map((document) => {
    for (const problem of [...document.errors, ...document.warnings]) throw problem
    return document.toJS()
  })
}

export function manifestFiles(folder = ''): string[] {
  return readdirSync(join(MANIFESTS, folder))
    .filter((name) => name.endsWith('.yaml') && name !== 'kustomization.yaml')
    .map((name) => join(folder, name))
}

/** Applies a patch of environment variables to a deployment, as kustomize does. */
export function withEnvironment(deployment: Manifest, patch: Manifest): Manifest {
  const patched = structuredClone(deployment)
  const [container] = patched.spec.template.spec.containers
  for (const { $patch, ...variable } of patch.spec.template.spec.containers[0].env) {
    container.env = container.env.filter(({ name }: { name: string }) => name !== variable.name)
    if ($patch !== 'delete') container.env.push(variable)
  }
  return patched
}

/** Returns the module that has the types of an apiVersion: "v1" → core/v1, "networking.k8s.io/v1" → networking/v1. */
function moduleOf(apiVersion: string): string {
  const [version, group = 'core'] = apiVersion.split('/').reverse()
  return `kubernetes-types/${group.split('.')[0]}/${version}`
}

/**
 * Type-checks these objects as literals of Kubernetes' types. Reports members that are missing, have the wrong type or
 * do not exist, at any depth.
 */
export function typeFaults(objects: readonly Manifest[]): string[] {
  const lines = objects.map(
    ({ apiVersion, ...rest }, i) =>
      `export const o${i}: import('${moduleOf(apiVersion)}').${rest.kind} = ${JSON.stringify({ apiVersion, ...rest })}`
  )
  // Below the packages, because it names one of them.
  const folder = mkdtempSync(join(root, 'node_modules/.manifests-'))
  try {
    const file = join(folder, 'as-literals.ts')
    writeFileSync(file, lines.join('\n'))
    const options =
      '--ignoreConfig --strict --noEmit --skipLibCheck --lib es2023 --module esnext --moduleResolution bundler'
    const args = [join(root, 'node_modules/typescript/bin/tsc'), ...options.split(' '), '--types', '', file]
    const { stdout, stderr, status, error } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    if (error) throw error
    const faults = stdout.split('\n').filter((line) => line.includes(': error TS'))
    if (status !== 0 && faults.length === 0) throw new Error(`tsc ended with ${status}: ${stdout}${stderr}`)
    return faults
  } finally {
    rmSync(folder, { recursive: true })
  }
}
