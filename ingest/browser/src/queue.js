// Waiting events and their way to ingest. An event leaves only when it was answered; after consent it also waits on the device, one
// key an event, so that tabs never overwrite each other. Promise: bounded, one request at a time, never before the server's
// Retry-After, a copy has the same id.

import { PREFIX, debug, guarded, keys, options, read, remove, write } from './environment.js'
import { isShared } from './session.js'

const WAITING = PREFIX + 'event.'
/** Where the pages of a visitor with consent tell each other how long to hold back. */
const PAUSE = PREFIX + 'pause'
/** Most events that wait; the oldest make room. */
const MOST_WAITING = 200
/** Most events and bytes of a request. All requests that outlive a page share 64 KiB. */
const MOST_EVENTS = 50
const MOST_BYTES = 30000
/** Pause for neighbours before a request. */
const GATHER_MS = 1000
/** Requests, one after the other, without any answer after which this page stops: a blocker, most likely. */
const MOST_SILENT = 6
/** Doublings of the pause between tries. */
const MOST_DOUBLINGS = 6
/** Nobody waits longer, whatever was asked for and however the clock was set. */
const LONGEST_PAUSE = 24 * 60 * 60 * 1000
/** What left without an answer (a beacon has none) is repeated for so long, within the hour in which copies are recognised. */
const REPEAT_MS = 50 * 60 * 1000

let waiting = []
let flying = []
let timer
/** Tries that failed since the last that did not, and those of them since the last answer of any kind. */
let failures = 0
let silent = 0
/** When the next request may go. */
let notBefore = 0
let isSending = false
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

/** How long no request may go. */
const hold = () => {
  const left = Math.max(notBefore, isShared() && read(PAUSE) || 0) - Date.now()
  return left > LONGEST_PAUSE ? 0 : left
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

/** It left long ago without an answer: a copy would count twice. */
const isStale = (entry) => Date.now() - entry.left > REPEAT_MS

/** What waits on the device is the truth: other tabs add to it, and take out what was answered. */
const gather = () => {
  settle(waiting.filter(isStale))
  if (!isShared()) return
  const found = keys(WAITING)
  waiting = waiting.filter((entry) => !entry.stored || found.includes(WAITING + entry.event.id))
  found.forEach((key) => {
    const stored = read(key)
    if (!stored || !stored.event || isStale(stored)) return remove(key)
    if (!waiting.some((entry) => entry.event.id === stored.event.id)) waiting.push({ ...stored, stored: true })
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
const url = () => options.endpoint.replace(/\/+$/, '') + '/v1/events?key=' + encodeURIComponent(options.key)

/** Sends one batch; gives the pause before the next. */
const send = async () => {
  gather()
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
  const { status, headers } = response || {}
  debug(status || 'no answer', answer)
  silent = response ? 0 : silent + 1
  if (!response || status >= 500 || status === 429 || status === 408) {
    // What does not stand in `retry` is durable or refused for good.
    const retry = answer && answer.retry
    if (retry) settle(batch.filter((_, index) => !retry.includes(index)))
    failures = Math.min(failures + 1, MOST_DOUBLINGS)
    isBlocked = silent >= MOST_SILENT
    if (isBlocked) debug('this page sends no more')
    return backOff(response && headers.get('retry-after'))
  }
  settle(batch)
  remove(PAUSE)
  failures = 0
  if (status >= 400) drop(batch)
  return waiting.length ? 1 : undefined
}

/** Never before the server allows it, and never all pages at once. */
const backOff = (after) => {
  const asked = after * 1000 || Date.parse(after) - Date.now() || 0
  const pause = Math.min(Math.max(asked, 500 * 2 ** failures) * (1 + Math.random()), LONGEST_PAUSE)
  notBefore = Date.now() + pause
  // What was asked for holds for the next page and for other tabs too.
  if (asked > 0 && isShared()) write(PAUSE, notBefore)
  return pause
}

/** Sends what waits, unless a request is under way, here or in another tab. */
export const flush = guarded(async () => {
  clearTimeout(timer)
  timer = undefined
  if (isSending || !options.key || !navigator.onLine || isBlocked || isLeaving) return
  if (hold() > 0) return schedule(hold())
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

/** It has left, and perhaps no answer will be seen; until one is, its copy on the device stays, unless consent was withdrawn meanwhile. */
const mark = (entry) => {
  const key = WAITING + entry.event.id
  entry.left = Date.now()
  if (entry.stored && read(key)) write(key, entry)
}

/**
 * Beacons take what no request has taken. They have no answer, so nothing leaves the queue by them. While the server wants none, or
 * nothing answers, what is on the device waits for the next page; what is not has its last chance at the page's end.
 */
const leave = (isEnd) => {
  if (!options.key || !navigator.onLine) return
  const isHeld = isBlocked || hold() > 0
  let rest = waiting.filter((entry) => !entry.left && !flying.includes(entry)
    && (entry.stored ? !isHeld && read(WAITING + entry.event.id) : isEnd || !isHeld))
  while (rest.length) {
    const [batch, body] = pack(rest)
    if (!navigator.sendBeacon(url(), body)) break
    batch.forEach(mark)
    rest = rest.slice(batch.length)
  }
  if (isEnd) flying.forEach(mark)
}

/** Watches the network and the page's end. */
export const start = () => {
  gather()
  addEventListener('online', guarded(() => {
    // What failed without an answer may go now; what the server asked for stays.
    if (silent) notBefore = failures = silent = 0
    isBlocked = false
    flush()
  }))
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
  // What an earlier page has left goes with this page's first events.
  schedule(GATHER_MS)
}
