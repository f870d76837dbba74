// Makes an event of a type, its data and what is known about the page and the visitor.

import { device, options, uuid } from './environment.js'
import { add, status } from './queue.js'
import { advance, hasConsent, isNew, purposes } from './session.js'

/** Circumstances that the page has set. */
export const settings = {}

/** When the page made a call that is only followed now. */
export const clock = { called: 0 }

const fromPage = () => {
  const { referrer, documentElement } = document
  // Where from, not what was looked at there.
  const from = referrer && new URL(referrer).host
  return {
    channel: 'web',
    device: device(),
    locale: documentElement.lang || navigator.language,
    app_version: options.appVersion,
    campaign: new URLSearchParams(location.search).get('utm_campaign') || undefined,
    referrer: from && from !== location.host ? from : undefined,
    // A browser that says it is driven by a program; `data-traffic` says otherwise.
    traffic: options.traffic || (navigator.webdriver ? 'bot' : undefined),
  }
}

/** Puts an event into the queue. `anonymous`: nothing in it may lead to the visitor or to his other events. */
export const track = (type, data, context, { anonymous } = {}) => {
  if (!anonymous && isNew() && type !== 'app.session_started') track('app.session_started')
  const touchpoint = /^checkout/.test(type) ? 'checkout' : options.touchpoint
  const whole = { ...fromPage(), touchpoint, ...settings, ...context, consent: purposes(), dropped: status().dropped || undefined }
  if (anonymous || !hasConsent() && options.basis == null) {
    delete whole.customer_id
    delete whole.account_id
  }
  add({
    id: uuid(), type, time: new Date(clock.called || Date.now()).toISOString(),
    context: anonymous ? whole : { ...whole, ...advance() },
    data: data || {},
  })
}
