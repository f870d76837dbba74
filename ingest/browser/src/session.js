// Who the visitor is, as far as he agreed: before consent a session in memory that ends with the page; after it an anonymous id and
// a session in localStorage, shared by the tabs. Promise: without consent nothing is written to the device; withdrawn consent wipes all.

import { PREFIX, keys, options, read, remove, uuid, write } from './environment.js'

/** Where consent, ids and the counter stand on the device. */
const STATE = PREFIX + 'state'
/** Silence that ends a session, as in other tools. */
const SESSION_MS = 30 * 60 * 1000

const beginning = (consent) => ({ consent, session_id: uuid(), seq: 0, at: Date.now() })

let state = beginning([])
/** The state is on the device; false where storage is forbidden, and then consent holds for this page only. */
let isStored = false

/** What happens to waiting events when consent is withdrawn, here or in another tab. */
let onWithdrawal = () => {}

const isGranted = (consent) =>
  consent.includes('analytics') && !(options.respectGpc != null && navigator.globalPrivacyControl)

/** Whether analytics was agreed to. */
export const hasConsent = () => !!state.anonymous_id

const save = () => { isStored = write(STATE, state) }

const forget = (consent) => {
  const wasGranted = hasConsent()
  state = wasGranted ? beginning(consent) : { ...state, consent }
  isStored = false
  // What another script of ours (the widget) remembered goes too.
  keys(PREFIX).forEach(remove)
  if (wasGranted) onWithdrawal()
}

/** Takes over what an earlier page or another tab has stored. */
const resume = () => {
  const stored = read(STATE)
  if (stored && isGranted(stored.consent)) {
    state = stored
    isStored = true
  } else if (isStored || stored) {
    // Wiped by another tab or by the visitor himself, or no longer valid here.
    forget([])
  }
}

/** Reads what is stored, and follows other tabs. */
export const start = (withdrawn) => {
  onWithdrawal = withdrawn
  resume()
  addEventListener('storage', (event) => { if (event.key === STATE || event.key === null) resume() })
}

/** The purposes that the visitor agrees to now; without `analytics` everything is wiped. */
export const consent = (purposes) => {
  const consent = [].concat(purposes || [])
  if (!isGranted(consent)) return forget(consent.filter((purpose) => purpose !== 'analytics'))
  // A new session: what came before was said without consent and is not linked to what follows.
  state = hasConsent() ? { ...state, consent } : { ...beginning(consent), anonymous_id: uuid() }
  save()
}

/** The next event's ids and its place in the session. */
export const advance = () => {
  if (isStored) resume()
  if (Date.now() - state.at > SESSION_MS) state = { ...beginning(state.consent), anonymous_id: state.anonymous_id }
  state.seq += 1
  state.at = Date.now()
  // Two tabs within the same few milliseconds may take the same number; a gap is never made.
  if (hasConsent()) save()
  const { anonymous_id, session_id, seq } = state
  return { anonymous_id, session_id, seq }
}

/** The next event is the first of a session that later pages will share. */
export const isNew = () => {
  if (isStored) resume()
  return hasConsent() && (!state.seq || Date.now() - state.at > SESSION_MS)
}

/** Other pages see the same state. */
export const isShared = () => isStored

/** The purposes that were agreed to. */
export const purposes = () => state.consent
