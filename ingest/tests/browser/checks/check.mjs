// Runs all checks of the browser files in a real Chromium and prints, as its last line, what must be in Kafka.

import * as delivery from './delivery.mjs'
import * as pages from './pages.mjs'
import * as privacy from './privacy.mjs'
import * as segment from './segment.mjs'
import * as widget from './widget.mjs'
import * as documented from './documented.mjs'
import { end, expected, inTime } from './harness.mjs'

const groups = [delivery, privacy, pages, widget, segment, documented]
// While a check is worked on: ONLY=offline,reload.
const only = process.env.ONLY?.split(',')
let failed = 0

const CHECK_PATIENCE = 180_000

const check = async (name, work) => {
  const begun = Date.now()
  try {
    await inTime('its end', work(), CHECK_PATIENCE)
    console.log(`held: ${name} (${Date.now() - begun} ms)`)
  } catch (error) {
    failed += 1
    console.error(`failed: ${name} (${Date.now() - begun} ms)`, error)
  }
}

// Mostly waiting: several at a time, in windows of their own. The longest first.
const AT_A_TIME = 6
const LONGEST = ['retryAfter', 'overload', 'looks', 'tags', 'closedMidRequest', 'shopVisit']
const rank = ([name]) => LONGEST.includes(name) ? LONGEST.indexOf(name) : LONGEST.length
const work = groups.flatMap((group) => Object.entries(group)).filter(([name]) => !only || only.includes(name))
work.sort((one, other) => rank(one) - rank(other))
await Promise.all(Array.from({ length: AT_A_TIME }, async () => {
  while (work.length) await check(...work.shift())
}))
await check('the end', end)
console.log(JSON.stringify(expected))
// A check that is late may still hold something open.
process.exit(failed ? 1 : 0)
