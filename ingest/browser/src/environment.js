// What the page and the browser give: ids, the device, careful storage. Promise: nothing here throws.

/** Names of everything that is ever written to the device begin with this. */
export const PREFIX = 'touchstream.'

/** Wraps a function so that an error in it never reaches the page. */
export const guarded = (work) => function () {
  try { return work.apply(this, arguments) } catch (error) { debug(error) }
}

/** Options of the script tag or of `init`. */
export const options = {}

/** Tells a developer what happens, if asked to by `data-debug`; otherwise silent. */
export const debug = (...words) => { if (options.debug != null) console.warn('touchstream:', ...words) }

/** A random UUID; pages without TLS have no crypto.randomUUID. */
export const uuid = () => crypto.randomUUID ? crypto.randomUUID() : '10000000-1000-4000-8000-100000000000'.replace(
  /[018]/g, (digit) => (digit ^ crypto.getRandomValues(new Uint8Array(1))[0] & 15 >> digit / 4).toString(16))

/** Reads JSON from the device; undefined when there is none, or none that can be read. */
export const read = (key) => { try { return JSON.parse(localStorage.getItem(key)) || undefined } catch {} }

/** Writes JSON to the device; whether that worked (a full or forbidden storage refuses). */
export const write = (key, value) => {
  try { localStorage.setItem(key, JSON.stringify(value)); return true } catch { return false }
}

/** Removes a key from the device. */
export const remove = (key) => { try { localStorage.removeItem(key) } catch {} }

/** Our keys on the device that begin with this. */
export const keys = (start) => { try { return Object.keys(localStorage).filter((key) => key.startsWith(start)) } catch { return [] } }

/** Calls work when the browser has nothing better to do. */
export const idle = (work) => (window.requestIdleCallback || setTimeout)(guarded(work), { timeout: 2000 })

/** mobile, tablet or desktop; a tablet that says it is a desktop is told by its fingers. */
export const device = () => {
  const agent = navigator.userAgent
  if (/iPad|Tablet|Android(?!.*Mobi)/.test(agent) || /Mac/.test(agent) && navigator.maxTouchPoints > 1) return 'tablet'
  return /Mobi/.test(agent) ? 'mobile' : 'desktop'
}
