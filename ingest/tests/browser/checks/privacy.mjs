// Nothing on the device before consent, a queue and an id after it, nothing left when it is withdrawn.

import assert from 'node:assert/strict'
import { Visitor, expect, faultsOf, proxied, until, view } from './harness.mjs'

const state = (page) => page.evaluate(() => JSON.parse(localStorage.getItem('touchstream.state')))

/** A whole visit over several pages: consent on the second, checkout, purchase, reload. */
export const shopVisit = async () => {
  const visitor = await Visitor.come('visit')
  await visitor.click('interact')
  await visitor.settled()
  await visitor.expectNothingOnDevice()
  await visitor.go('product')
  await visitor.settled()
  await visitor.expectNothingOnDevice()
  expect('visit', view('visit', 'home'), 'app.interaction m-1', view('visit', 'product'))

  await visitor.click('accept', 'interact')
  const first = await state(visitor.page)
  assert.match(first.anonymous_id, /^[0-9a-f-]{36}$/)
  expect('visit', 'app.session_started', 'app.interaction m-1')
  await visitor.go('checkout')
  await visitor.click('start', 'shipping', 'declined', 'pay')
  expect('visit', view('visit', 'checkout'), 'checkout.started', 'checkout.step shipping completed', 'checkout.step payment failed', 'checkout.step payment completed')
  await visitor.go('thanks')
  await visitor.click('buy')
  expect('visit', view('visit', 'thanks'), 'checkout.completed t-m')
  await visitor.page.reload()
  await visitor.isLoaded()
  expect('visit', view('visit', 'thanks'))
  await visitor.settled()
  const last = await state(visitor.page)
  assert.deepEqual([last.anonymous_id, last.session_id], [first.anonymous_id, first.session_id], 'one visitor, one session')
  const device = await visitor.device()
  assert.deepEqual([device.local, device.session, device.cookie], [['touchstream.state'], [], ''])
  await visitor.leave()
}

/** Withdrawn consent wipes the device and what waits, in every tab; what follows leads to nobody. */
export const withdrawn = async () => {
  const visitor = await Visitor.come('withdrawn', { after: `<script>if (!location.search) touchstream('consent', ['analytics'])</script>` })
  expect('withdrawn', 'app.session_started', view('withdrawn', 'home'))
  await visitor.settled()
  const other = await visitor.open('cart?mark=o')
  expect('withdrawn', view('withdrawn', 'cart'))
  await visitor.settled(other)
  await visitor.context.setOffline(true)
  await visitor.click('interact')
  await other.click('#interact')
  await visitor.click('decline')
  await visitor.expectNothingOnDevice()
  await until('the other tab to know', async () => (await visitor.status(other)).waiting === 0)
  await visitor.context.setOffline(false)
  await visitor.click('interact')
  await other.click('#interact')
  expect('withdrawn', 'app.interaction m-2', 'app.interaction o-2')
  await Promise.all([visitor.settled(), visitor.settled(other)])
  await visitor.expectNothingOnDevice()
  await visitor.leave()
}

/** Withdrawn while a request is under way, and then left: what flew is not put back onto the device. */
export const withdrawnMidRequest = async () => {
  const variant = 'withdrawn-mid-request'
  const visitor = await Visitor.come(variant, { endpoint: proxied(variant), after: `<script>if (!location.search) touchstream('consent', ['analytics'])</script>` })
  expect(variant, 'app.session_started', view(variant, 'home'))
  await visitor.settled()
  let release
  const held = new Promise((resolve) => { release = resolve })
  const before = visitor.requests
  faultsOf(variant).before = (request) => request.method === 'POST' && held
  await visitor.click('interact')
  expect(variant, 'app.interaction m-1')
  await until('a request under way', () => visitor.requests > before)
  await visitor.click('decline')
  await visitor.page.goto(visitor.url('cart?again'))
  await visitor.isLoaded()
  await visitor.expectNothingOnDevice()
  release()
  expect(variant, view(variant, 'cart'))
  await visitor.settled()
  await visitor.expectNothingOnDevice()
  await visitor.leave()
}

/** Global Privacy Control, where the site honours it, is stronger than a click. */
export const globalPrivacyControl = async () => {
  const beforePage = () => Object.defineProperty(navigator, 'globalPrivacyControl', { value: true })
  const visitor = await Visitor.come('gpc', { attributes: 'data-timing="off" data-respect-gpc', beforePage })
  await visitor.click('accept', 'interact')
  expect('gpc', view('gpc', 'home'), 'app.interaction m-1')
  await visitor.settled()
  await visitor.expectNothingOnDevice()
  await visitor.leave()
}

/** A browser that forbids storage: consent holds for the page, and everything still arrives. */
export const noStorage = async () => {
  const beforePage = () => Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError') } })
  const visitor = await Visitor.come('no-storage', { beforePage })
  await visitor.settled()
  await visitor.click('accept', 'interact', 'interact')
  expect('no-storage', view('no-storage', 'home'), 'app.session_started', 'app.interaction m-1', 'app.interaction m-2')
  await visitor.settled()
  await visitor.leave()
}
