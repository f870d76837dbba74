// Waiting events and their way to ingest. An event leaves only when it was answered; after consent it also waits on the device, one
// key an event, so that tabs never overwrite each other. Promise: bounded, one request at a time, a copy has the same id.

import { PREFIX, debug, guarded, keys, options, read, remove, write } from './environment.js'
import { isShared } from './session.js'

const WAITING = PREFIX + 'event.'
/** Most events that wait; the oldest make room. */
const MOST_WAITING = 200
/** Most events and bytes of a request. All requests that outlive a page share 64 KiB. */
const MOST_EVENTS = 50
const MOST_BYTES = 30000
/** Pause for neighbours before a request. */
const GATHER_MS = 1000
/** Failures without any answer after which this page stops: a blocker, most likely. */
const MOST_FAILURES = 6
/** A beacon without an answer is repeated by the next page for so long, well within the time in which copies are recognised. */
const REPEAT_MS = 10 * 60 * 1000

let waiting = []
let flying = []
let timer
let failures = 0
let isSending = false
/** The last request was answered well, so that a beacon may be trusted to arrive. */
let isHealthy = false
let isBlocked = false
/** The page is going away: the browser cuts the answers of what still flies, which is no failure. */
let isLeaving = false
let dropped = 0

/** How it stands; `dropped` counts what this page has given up. */
export const status = () => ({ waiting: waiting.length, dropped, isBlocked })

const drop = (entries) => {
  if (!entries.length) return
  dropped += entries.length
  debug(entries.length + ' events given up')
}

/** Takes entries out, from memory and device. */
const settle = (entries) => {
  waiting = waiting.filter((entry) => !entries.includes(entry))
  entries.forEach((entry) => remove(WAITING + entry.event.id))
}

/** Withdrawn consent: what leads to the visitor is not sent any more, and the rest is not on the device. */
export const wipe = () => {
  const named = waiting.filter(({ event }) => event.context.anonymous_id)
  drop(named)
  settle(named)
  waiting.forEach((entry) => { entry.stored = false })
}

/** Puts an event into the queue. */
export const add = (event) => {
  // A copy: the page may change its objects later, and what is no JSON fails here.
  const json = JSON.stringify(event)
  const entry = { event: JSON.parse(json) }
  if (sizeOf(json) > 2 * MOST_BYTES) return drop([entry])
  entry.stored = isShared() && write(WAITING + event.id, entry)
  waiting.push(entry)
  if (waiting.length > MOST_WAITING) {
    const oldest = waiting.filter((entry) => !flying.includes(entry)).slice(0, 1)
    settle(oldest)
    drop(oldest)
  }
  if (waiting.length >= MOST_EVENTS) flush()
  else schedule(GATHER_MS)
}

const sizeOf = (text) => new Blob([text]).size

const schedule = (delay) => { timer ||= setTimeout(flush, delay) }

/** What waits on the device is the truth: other tabs add to it, and take out what was answered. */
const gather = () => {
  const found = keys(WAITING)
  waiting = waiting.filter((entry) => !entry.stored || found.includes(WAITING + entry.event.id))
  found.forEach((key) => {
    const stored = read(key)
    if (!stored || !stored.event || stored.left && Date.now() - stored.left > REPEAT_MS) return remove(key)
    if (!waiting.some((entry) => entry.event.id === stored.event.id)) waiting.push({ event: stored.event, stored: true })
  })
  const seq = (entry) => entry.event.context.seq || 0
  waiting.sort((one, other) => (one.event.time > other.event.time) - (one.event.time < other.event.time) || seq(one) - seq(other))
}

/** The first of these that fit into a request, as its body. */
const pack = (entries) => {
  const taken = [], parts = [], sent_at = new Date().toISOString()
  let bytes = 2
  for (const entry of entries) {
    const json = JSON.stringify({ ...entry.event, sent_at })
    const size = sizeOf(json) + 1
    if (taken.length && (bytes + size > MOST_BYTES || taken.length >= MOST_EVENTS)) break
    bytes += size
    taken.push(entry)
    parts.push(json)
  }
  return [taken, '[' + parts + ']']
}

// The key in the URL and a text body need no preflight, and a beacon can send them too.
const url = () => options.endpoint + '/v1/events?key=' + encodeURIComponent(options.key)

/** Sends one batch; gives the pause before the next. */
const send = async () => {
  if (isShared()) gather()
  const [batch, body] = pack(waiting)
  if (!batch.length) return
  flying = batch
  let response, answer
  try {
    response = await fetch(url(), {
      method: 'POST', body, keepalive: true, credentials: 'omit', signal: AbortSignal.timeout && AbortSignal.timeout(30000),
    })
    answer = await response.json()
  } catch {}
  flying = []
  if (isLeaving && !response) return
  if (!response) {
    failures += 1
    isHealthy = false
    isBlocked = failures >= MOST_FAILURES
    return isBlocked ? debug('no answer; this page sends no more') : backOff()
  }
  const { status } = response
  isHealthy = status < 300
  debug(status, answer)
  if (status >= 500 || status === 429 || status === 408) {
    // What does not stand in `retry` is durable or refused for good.
    const retry = answer && answer.retry
    if (retry) settle(batch.filter((_, index) => !retry.includes(index)))
    failures = Math.min(failures + 1, MOST_FAILURES)
    return backOff(response.headers.get('retry-after'))
  }
  settle(batch)
  failures = 0
  if (status >= 400) drop(batch)
  return waiting.length ? 1 : undefined
}

/** Never before the server allows it, and never all pages at once. */
const backOff = (seconds) => Math.max(seconds * 1000 || 0, 500 * 2 ** failures) * (1 + Math.random())

/** Sends what waits, unless a request is under way, here or in another tab. */
export const flush = guarded(async () => {
  clearTimeout(timer)
  timer = undefined
  if (isSending || !options.key || !navigator.onLine || isBlocked || isLeaving) return
  isSending = true
  let pause
  try {
    pause = isShared() && navigator.locks
      ? await navigator.locks.request(PREFIX, { ifAvailable: true }, (lock) => lock ? send() : GATHER_MS)
      : await send()
  } catch (error) { debug(error) }
  isSending = false
  if (pause) schedule(pause)
})

/** Beacons take what no request has taken. At the page's end no answer will be seen any more. */
const leave = (isEnd) => {
  if (!options.key || !navigator.onLine) return
  let rest = waiting.filter((entry) => !flying.includes(entry) && (!entry.stored || read(WAITING + entry.event.id)))
  const unsure = [...flying]
  while (rest.length) {
    const [batch, body] = pack(rest)
    if (!navigator.sendBeacon(url(), body)) break
    const kept = batch.filter((entry) => entry.stored && !isHealthy)
    unsure.push(...kept)
    settle(batch.filter((entry) => !kept.includes(entry)))
    rest = rest.slice(batch.length)
  }
  if (isEnd) unsure.forEach((entry) => { if (entry.stored) write(WAITING + entry.event.id, { event: entry.event, left: Date.now() }) })
}

/** Watches the network and the page's end. */
export const start = () => {
  if (isShared()) gather()
  addEventListener('online', guarded(() => { isBlocked = false; failures = 0; flush() }))
  addEventListener('pagehide', guarded(() => {
    leave(true)
    isLeaving = true
  }))
  // Back from the cache of pages that the browser keeps.
  addEventListener('pageshow', guarded(({ persisted }) => {
    if (!persisted) return
    isLeaving = false
    flush()
  }))
  // A hidden page may be ended without notice, but it may also live on and hear the answer.
  document.addEventListener('visibilitychange', guarded(() => {
    if (!document.hidden) return
    if (isSending) leave()
    else flush()
  }))
  flush()
}
