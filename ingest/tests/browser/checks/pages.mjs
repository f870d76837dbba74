// What pages tell by themselves, calls before the file is there, a tag manager's ways, and the data layer.

import assert from 'node:assert/strict'
import { Visitor, expect, run, tag, until, view } from './harness.mjs'

/** A single-page application: pushState, replaceState, back; a changed query is the same page. */
export const singlePage = async () => {
  for (const variant of ['spa', 'spa-patched']) {
    // Without the Navigation API the history is watched.
    const beforePage = variant === 'spa' ? undefined : () => { delete window.navigation; Object.defineProperty(window, 'navigation', { value: undefined }) }
    const visitor = await Visitor.come(variant, { beforePage })
    await visitor.settled()
    await visitor.click('push')
    await visitor.page.evaluate(() => history.replaceState({}, '', './orders/8172635/items'))
    await visitor.page.evaluate(() => history.pushState({}, '', '?color=red'))
    await visitor.page.goBack()
    await visitor.page.goBack()
    expect(variant, view(variant, 'home'), view(variant, 'details'), view(variant, 'orders/:id/items'), view(variant, 'home'))
    await visitor.settled()
    await visitor.leave()
  }
}

/** Back to a page that the browser kept whole: it is seen again, and goes on sending. Playwright switches that cache off: only its events. */
export const backAgain = async () => {
  const visitor = await Visitor.come('back')
  const go = (event) => visitor.page.evaluate((event) => { dispatchEvent(new PageTransitionEvent(event, { persisted: true })) }, event)
  await visitor.click('interact')
  await go('pagehide')
  await until('the beacon', () => visitor.events.some((event) => event.data.name === 'm-1'))
  await visitor.click('interact')
  await visitor.page.evaluate(() => touchstream('flush'))
  assert.ok(!visitor.events.some((event) => event.data.name === 'm-2'), 'a page that goes sends no more')
  await go('pageshow')
  expect('back', view('back', 'home'), 'app.interaction m-1', 'app.interaction m-2', view('back', 'home'))
  await visitor.settled()
  await visitor.leave()
}

/** Loading time and status as app.response; errors by kind, when asked for. */
export const timingAndErrors = async () => {
  const visitor = await Visitor.come('timing', { attributes: 'data-errors data-pages="off" data-touchpoint="shop" data-app-version="5.2"' })
  await until('the timing', () => visitor.events.some((event) => event.type === 'app.response'))
  const [response] = visitor.events.filter((event) => event.type === 'app.response')
  assert.ok(response.data.duration_ms > 0 && response.data.status === 200, JSON.stringify(response))
  assert.equal(response.context.traffic, 'bot', 'a driven browser is no human')
  assert.deepEqual([response.context.touchpoint, response.context.app_version, response.context.channel, response.context.locale], ['shop', '5.2', 'web', 'de'])
  await visitor.page.evaluate(() => {
    setTimeout(() => { null.x })
    Promise.reject(new RangeError('mail anna@example.org'))
  })
  await until('both errors', () => visitor.events.filter((event) => event.type === 'app.error').length === 2)
  await visitor.settled()
  expect('timing', 'app.response /s/timing/home', 'app.error TypeError', 'app.error RangeError')
  visitor.errors = visitor.errors.filter((error) => !/TypeError|RangeError/.test(error))
  await visitor.leave()
}

/** Calls before the file is there are kept, with the time at which they were made; nonsense disturbs nobody. */
export const early = async () => {
  const visitor = await Visitor.come('early', {
    attributes: 'data-timing="off" data-pages="off"',
    after: `<script>touchstream('app.interaction', { name: 'early' }); touchstream(); touchstream(7); touchstream('nonsense', 1)
      touchstream('app.interaction', { name: 'loop', get bad() { throw 1 } }); touchstream('app.interaction', { name: 1n })</script>`,
    beforePage: () => { window.begun = Date.now() },
    delayFile: 700,
  })
  await visitor.settled()
  expect('early', 'app.interaction early')
  const [event] = visitor.events
  assert.ok(Date.parse(event.sent_at) - Date.parse(event.time) >= 600, 'the time is that of the call')
  await visitor.leave()
}

/** A tag manager inserts the file without attributes; `init` says what they would. */
export const tagManager = async () => {
  const head = `<script>
    window.touchstream = window.touchstream || function () { var a = arguments; a.t = Date.now(); (touchstream.q = touchstream.q || []).push(a) }
    touchstream('init', { key: '${run.key}', endpoint: '${run.ingest}/', timing: 'off', dataLayer: 'dataLayer' })
    var script = document.createElement('script'); script.async = true; script.src = '${run.ingest}/touchstream.js'
    document.head.append(script)
    window.dataLayer = [{ event: 'gtm.js' }, { event: 'view_cart', ecommerce: { value: 49.9, currency: 'EUR', items: [{}, {}] } }]
    function gtag() { dataLayer.push(arguments) }
    gtag('js', new Date()); gtag('event', 'begin_checkout', { value: 49.9, currency: 'EUR', items: [{}, {}] })
  </script>`
  const visitor = await Visitor.come('data-layer', { head })
  await until('the existing entries', async () => visitor.sent.length >= 3 || (await visitor.status()).waiting >= 3)
  const kept = await visitor.page.evaluate(() => {
    gtag('event', 'add_shipping_info', { shipping_tier: 'express' })
    dataLayer.push({ ecommerce: null }, { event: 'add_payment_info', ecommerce: { payment_type: 'card' } })
    dataLayer.push({ event: 'add_to_cart', ecommerce: {} }, { event: 'hasOwnProperty' }, null, 7)
    return dataLayer.push({ event: 'purchase', ecommerce: { transaction_id: 4711, value: '49.90', currency: 'EUR', items: [{}] } })
  })
  assert.equal(kept, 12, 'push still does what it did')
  expect('data-layer', view('data-layer', 'home'), 'checkout.step cart viewed', 'checkout.started', 'checkout.step shipping completed',
    'checkout.step payment completed', 'app.interaction add_to_cart', 'checkout.completed')
  await visitor.settled()
  const bought = visitor.events.find((event) => event.type === 'checkout.completed')
  assert.deepEqual(bought.data, { items: 1, value: '49.90', currency: 'EUR', transaction_id: '4711' })
  await visitor.leave()
}
