// tsc copies only TypeScript. The built service reads these other files beside its own, so they are copied here.
import { cpSync } from 'node:fs'

for (const folder of ['src/storage/redis/scripts', 'src/routes/pages/assets']) {
  cpSync(folder, `dist/${folder}`, { recursive: true })
}
