// tsc leaves behind what is not TypeScript; the built service reads it beside its own files.
import { cpSync } from 'node:fs'

for (const folder of ['src/storage/redis/scripts', 'src/routes/pages/assets']) {
  cpSync(folder, `dist/${folder}`, { recursive: true })
}
