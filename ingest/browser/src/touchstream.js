// touchstream.js: tells an ingest of touchstream what happens on a page. Installation and options: docs/browser.md.
//
// This file is the way in: touchstream('command', …) from the page → track → queue → ingest. Promises: it never throws into the page,
// never delays it, writes nothing to the device before consent, and an event that was answered is never sent again.

import * as dataLayer from './data_layer.js'
import { debug, guarded, idle, options, read, uuid, write } from './environment.js'
import * as page from './page.js'
import * as queue from './queue.js'
import * as session from './session.js'
import { clock, settings, track } from './track.js'

const script = document.currentScript
/** Calls that cannot be followed yet: from before this file was there, before there is a key, or for a file that is yet to come. */
const held = window.touchstream && window.touchstream.q || []
const MOST_HELD = 100
let isStarted = false

const commands = {
  init: (given) => {
    Object.assign(options, given)
    if (isStarted) return
    if (!options.key) return debug('no key yet')
    if (document.prerendering) return document.addEventListener('prerenderingchange', () => commands.init(), { once: true })
    isStarted = true
    session.start(queue.wipe)
    queue.start()
    // What the page has already said comes first; the rest may wait for the page.
    runHeld()
    idle(() => {
      page.start()
      dataLayer.start()
    })
  },
  set: (context) => Object.assign(settings, context),
  consent: session.consent,
  page: page.page,
  track,
  checkout: (what, data, context) => track('checkout.' + what, data, context),
  step: (step, action, data) => track('checkout.step', { ...data, step, action: action || 'viewed' }),
  flush: queue.flush,
  status: (receive) => receive(queue.status()),
  // Further files add commands: touchstream('use', name, (tools) => command).
  use: (name, make) => {
    commands[name] = make({ hasConsent: session.hasConsent, read, track, uuid, write })
    runHeld()
  },
}

const run = guarded((call) => {
  const [name, ...given] = call
  const isType = name.includes('.')
  if (name !== 'init' && !isStarted || !isType && !commands[name]) {
    debug('held: ' + name)
    call.t ||= Date.now()
    return held.length < MOST_HELD && held.push(call)
  }
  clock.called = call.t
  if (isType) track(name, ...given)
  else commands[name](...given)
  clock.called = 0
})

const runHeld = () => held.splice(0).forEach(run)

// A second copy of this file on a page does nothing.
if (!(window.touchstream && window.touchstream.version)) {
  window.touchstream = function () { run(arguments) }
  window.touchstream.version = 1
  // From a tag manager there is no script tag to ask; then `init` says it all.
  guarded(() => commands.init(script && { endpoint: new URL('.', script.src).href.slice(0, -1), ...script.dataset }))()
  runHeld()
}
