// GA4 e-commerce pushes of a tag manager become checkout events. Entries are {event, ecommerce}, {event, ...parameters}, or the
// arguments of gtag('event', name, parameters); those that are there already and those that come.

import { guarded, options } from './environment.js'
import { track } from './track.js'

const step = (step, action) => ['checkout.step', { step, action }]

/** GA4's name → our type and what is fixed in its data; fields that both know are taken over. */
const KNOWN = {
  view_cart: step('cart', 'viewed'),
  begin_checkout: ['checkout.started'],
  add_shipping_info: step('shipping', 'completed'),
  add_payment_info: step('payment', 'completed'),
  purchase: ['checkout.completed'],
  refund: ['checkout.refunded'],
}
/** What customers do before a checkout. */
const BROWSING = /^((view|select)_(item(_list)?|promotion)|(add_to|remove_from)_\w+|search)$/
const FIELDS = ['checkout_id', 'cart_id', 'value', 'currency', 'shipping_tier', 'payment_type', 'transaction_id']

const take = guarded((entry) => {
  const isGtag = entry && entry[0] === 'event'
  const name = isGtag ? entry[1] : entry && entry.event
  const known = BROWSING.test(name) ? ['app.interaction', { name }] : KNOWN.hasOwnProperty(name) && KNOWN[name]
  if (!known) return
  const sent = isGtag ? entry[2] || {} : entry.ecommerce || entry.eventModel || entry
  const data = { ...known[1], items: sent.items && sent.items.length }
  for (const field of FIELDS) if (sent[field] != null) data[field] = field === 'value' ? sent[field] : '' + sent[field]
  track(known[0], data)
})

/** Reads the data layer, if `data-data-layer` asks for it. */
export const start = () => {
  if (options.dataLayer == null) return
  const layer = window[options.dataLayer || 'dataLayer'] ||= []
  layer.forEach(take)
  const original = layer.push
  layer.push = function () {
    ;[].forEach.call(arguments, take)
    return original.apply(layer, arguments)
  }
}
