// Runs all checks of the browser files in a real Chromium and prints, as its last line, what must be in Kafka.

import * as delivery from './delivery.mjs'
import * as pages from './pages.mjs'
import * as privacy from './privacy.mjs'
import * as segment from './segment.mjs'
import * as widget from './widget.mjs'
import * as documented from './documented.mjs'
import { end, expected } from './harness.mjs'

const groups = [delivery, privacy, pages, widget, segment, documented]
const only = process.env.ONLY
let failed = 0
for (const group of groups) {
  for (const [name, check] of Object.entries(group)) {
    if (only && !only.split(',').includes(name)) continue
    const begun = Date.now()
    try {
      await check()
      console.log(`held: ${name} (${Date.now() - begun} ms)`)
    } catch (error) {
      failed += 1
      console.error(`failed: ${name} (${Date.now() - begun} ms)`, error)
    }
  }
}
await end()
console.log(JSON.stringify(expected))
process.exitCode = failed ? 1 : 0
