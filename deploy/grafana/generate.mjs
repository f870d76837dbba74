// Writes dashboards/*.json from source/*.mjs. `node deploy/grafana/generate.mjs` after a change; with --check it only says what differs,
// with --answers it prints which panel answers which question. Needs nothing but Node.
import { readFileSync, readdirSync, writeFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { answersOf, dashboard } from './source/lib.mjs'

const here = import.meta.dirname ?? new URL('.', import.meta.url).pathname
const sources = readdirSync(join(here, 'source')).filter((name) => name.endsWith('.mjs') && name !== 'lib.mjs').sort()
const mode = process.argv[2]
const answers = []
let differs = false

for (const source of sources) {
  const described = (await import(join(here, 'source', source))).default
  const file = join(here, 'dashboards', source.replace(/\.mjs$/, '.json'))
  const text = JSON.stringify(dashboard(described), null, 2) + '\n'
  answers.push(...answersOf(described).map(([number, title]) => ({ number, dashboard: described.title, panel: title })))
  if (mode === '--answers') continue
  if (mode === '--check') {
    if (!existsSync(file) || readFileSync(file, 'utf8') !== text) {
      console.error(`${file} is not what ${source} makes: run node deploy/grafana/generate.mjs`)
      differs = true
    }
  } else {
    writeFileSync(file, text)
  }
}
if (mode === '--answers') console.log(JSON.stringify(answers.sort((a, b) => a.number - b.number), null, 1))
process.exitCode = differs ? 1 : 0
