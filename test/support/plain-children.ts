/**
 * Loaded before each test file (.taprc). tap follows every process that a test starts, to know which files it covers: Node then loads
 * each module by a detour, and a service takes twice as long to start. Coverage is not measured, so the processes are left alone.
 */
import processOnSpawn from 'process-on-spawn'

processOnSpawn.removeAllListeners()
const { NODE_OPTIONS = '' } = process.env
process.env.NODE_OPTIONS = NODE_OPTIONS.replace(/"?--import=\S*@tapjs\/processinfo\S*/, '').trim()
