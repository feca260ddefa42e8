// tsc leaves the Lua scripts behind; the built service reads them beside its own files.
import { cpSync } from 'node:fs'

const scripts = 'src/storage/redis/scripts'
cpSync(scripts, `dist/${scripts}`, { recursive: true })
