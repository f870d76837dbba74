// What a page tells by itself: views, also of single-page applications, how long loading took, and errors.

import { guarded, idle, options } from './environment.js'
import { track } from './track.js'

let current

/** The path without what is likely an id or a person: /orders/81723 is /orders/:id. */
const pathName = () => location.pathname.replace(/\/[^/]*(\d{5}|[\da-f]{8}-|@|%40)[^/]*/gi, '/:id')

/** Tells that a page is seen. */
export const page = (name, data) => {
  current = location.pathname
  track('app.screen_viewed', { ...data, name: name || pathName() })
}

const changed = guarded(() => { if (location.pathname !== current) page() })

const watchPages = () => {
  if (window.navigation) navigation.addEventListener('currententrychange', changed)
  else {
    for (const name of ['pushState', 'replaceState']) {
      const original = history[name]
      history[name] = function () {
        const result = original.apply(this, arguments)
        changed()
        return result
      }
    }
    addEventListener('popstate', changed)
  }
  // Back to a page that the browser has kept whole: seen again.
  addEventListener('pageshow', guarded(({ persisted }) => { if (persisted) page() }))
  page()
}

const tellTiming = () => {
  const [entry] = performance.getEntriesByType('navigation')
  if (!entry) return
  const duration_ms = Math.max(0, Math.round(entry.loadEventStart - (entry.activationStart || 0)))
  track('app.response', { name: pathName(), duration_ms, status: entry.responseStatus || undefined })
}

let errors = 0
const tellError = (error) => {
  // The kind only: messages may contain what people typed. Ten are enough to see that a page is broken.
  if (errors++ < 10) track('app.error', { code: error && error.name || 'Error', fatal: false })
}

/** Starts what the options ask for. */
export const start = () => {
  if (options.pages !== 'off') watchPages()
  if (options.timing !== 'off') {
    if (document.readyState === 'complete') idle(tellTiming)
    else addEventListener('load', () => idle(tellTiming))
  }
  if (options.errors != null) {
    addEventListener('error', guarded((event) => { if (event.message) tellError(event.error) }))
    addEventListener('unhandledrejection', guarded((event) => tellError(event.reason)))
  }
}
