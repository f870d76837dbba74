// Events arrive once, whatever happens to the network and the page.

import assert from 'node:assert/strict'
import { Visitor, expect, faultsOf, proxied, until, view } from './harness.mjs'

/** A page with consent; session_started and the first view are expected. */
const withConsent = async (variant, options) => {
  const visitor = await Visitor.come(variant, { ...options, after: `<script>touchstream('consent', ['analytics'])</script>` })
  expect(variant, 'app.session_started', view(variant, 'home'))
  return visitor
}

const interactions = (variant, mark, count) => {
  for (let number = 1; number <= count; number += 1) expect(variant, `app.interaction ${mark}-${number}`)
}

export const offline = async () => {
  for (const variant of ['offline', 'offline-memory']) {
    const visitor = variant === 'offline' ? await withConsent(variant) : await Visitor.come(variant)
    if (variant !== 'offline') expect(variant, view(variant, 'home'))
    await visitor.settled()
    await visitor.context.setOffline(true)
    const before = visitor.requests
    await visitor.click('interact', 'interact', 'interact', 'interact', 'interact')
    interactions(variant, 'm', 5)
    await until('five waiting events', async () => (await visitor.status()).waiting === 5)
    await visitor.page.evaluate(() => touchstream('flush'))
    await until('another turn', () => visitor.page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 50, true))))
    assert.equal(visitor.requests, before, 'nothing is tried while offline')
    await visitor.context.setOffline(false)
    await visitor.settled()
    await visitor.leave()
  }
}

/** Offline, closed, opened again another time: the queue on the device is sent by the next page. */
export const reload = async () => {
  const visitor = await withConsent('reload')
  await visitor.settled()
  await visitor.context.setOffline(true)
  await visitor.click('interact', 'interact', 'interact')
  interactions('reload', 'm', 3)
  assert.equal((await visitor.device()).local.filter((key) => key.startsWith('touchstream.event.')).length, 3)
  await visitor.page.close()
  await visitor.context.setOffline(false)
  visitor.page = await visitor.open('cart')
  expect('reload', view('reload', 'cart'))
  await visitor.settled()
  assert.deepEqual((await visitor.device()).local, ['touchstream.state'])
  await visitor.leave()
}

/** The page is left or closed while a request is under way, before and after consent. */
export const closedMidRequest = async () => {
  for (const variant of ['mid-request', 'mid-request-memory']) {
    const options = { endpoint: proxied(variant) }
    const faults = faultsOf(variant)
    const visitor = variant === 'mid-request' ? await withConsent(variant, options) : await Visitor.come(variant, options)
    if (variant !== 'mid-request') expect(variant, view(variant, 'home'))
    await visitor.settled()
    let release
    const held = new Promise((resolve) => { release = resolve })
    let arrived = 0
    faults.before = async (request) => {
      assert.notEqual(request.method, 'OPTIONS', 'no preflight is needed')
      if (request.method !== 'POST') return
      arrived += 1
      await held
    }
    await visitor.click('interact', 'interact')
    await until('a request under way', () => arrived === 1)
    // One more, that this request did not take: it leaves by beacon.
    await visitor.click('interact')
    interactions(variant, 'm', 3)
    await visitor.page.goto('about:blank')
    await until('the beacon', () => arrived > 1)
    await visitor.page.close()
    assert.equal(arrived, 2, 'nothing is sent twice by a page that goes')
    release()
    faults.before = async () => {}
    visitor.page = await visitor.open('cart')
    expect(variant, view(variant, 'cart'))
    await visitor.settled()
    await visitor.leave()
  }
}

/** Everything happens within a moment and the page is left: beacons, also for more than one of them can hold. */
export const leftAtOnce = async () => {
  const small = await Visitor.come('left-at-once')
  expect('left-at-once', view('left-at-once', 'home'))
  await small.settled()
  await small.click('interact', 'interact')
  await small.page.goto('about:blank')
  interactions('left-at-once', 'm', 2)
  // A beacon has no answer; that it arrived is seen in Kafka, where the Rust test waits for it.

  const large = await withConsent('left-large')
  await large.settled()
  await large.page.evaluate(() => {
    for (let number = 1; number <= 40; number += 1) touchstream('app.interaction', { name: 'm-' + number, filler: 'ü'.repeat(1300) })
    location.href = './cart'
  })
  interactions('left-large', 'm', 40)
  await large.page.waitForURL('**/cart')
  await large.isLoaded()
  expect('left-large', view('left-large', 'cart'))
  await large.settled()
  await Promise.all([small.leave(), large.leave()])
}

/** Two tabs share a queue on the device: each event is sent by one of them. */
export const twoTabs = async () => {
  const visitor = await withConsent('two-tabs')
  await visitor.settled()
  const other = await visitor.open('cart?mark=o')
  expect('two-tabs', view('two-tabs', 'cart'))
  await visitor.settled(other)
  await visitor.context.setOffline(true)
  for (let round = 0; round < 5; round += 1) {
    await visitor.page.click('#interact')
    await other.click('#interact')
  }
  interactions('two-tabs', 'm', 5)
  interactions('two-tabs', 'o', 5)
  await visitor.context.setOffline(false)
  await Promise.all([visitor.settled(), visitor.settled(other)])
  assert.equal(visitor.sent.length, new Set(visitor.sent).size, 'no event was sent twice')

  // A tab is closed offline; the other one sends what it left.
  await visitor.context.setOffline(true)
  await other.click('#interact')
  interactions('two-tabs', 'o', 0)
  expect('two-tabs', 'app.interaction o-6')
  await other.close()
  await visitor.context.setOffline(false)
  await visitor.click('interact')
  expect('two-tabs', 'app.interaction m-6')
  await until('the other tab’s event', async () => (await visitor.device()).local.length === 1)
  await visitor.leave()
}

/** 429, 503 with a list, 500, and a refusal. */
export const overload = async () => {
  const visitor = await Visitor.come('overload', { endpoint: proxied('overload') })
  const faults = faultsOf('overload')
  expect('overload', view('overload', 'home'))
  await visitor.settled()
  const cors = { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'retry-after', 'content-type': 'application/json' }
  const times = []
  const answers = [
    async () => ({ status: 429, headers: { ...cors, 'retry-after': '2' }, body: '{"code":"rate_limited"}' }),
    async (next) => { await next(); return { status: 503, headers: { ...cors, 'retry-after': '0' }, body: '{"retry":[1]}' } },
    async () => ({ status: 502, headers: {}, body: 'bad gateway' }),
  ]
  const bodies = []
  faults.answer = async (request, next) => {
    if (request.method !== 'POST') return next()
    times.push(Date.now())
    return times.length <= answers.length ? answers[times.length - 1](next) : next()
  }
  visitor.context.on('request', (request) => { if (request.method() === 'POST') bodies.push(JSON.parse(request.postData()).length) })
  // In one turn, so that they are one batch however slow the machine is.
  await visitor.page.evaluate(() => { for (const name of ['m-1', 'm-2']) touchstream('app.interaction', { name }) })
  interactions('overload', 'm', 2)
  await visitor.settled()
  assert.deepEqual(bodies, [2, 2, 1, 1], 'only what stands in retry is sent again')
  assert.ok(times[1] - times[0] >= 2000, 'never before Retry-After')

  faults.answer = async (request, next) =>
    request.method === 'POST' ? { status: 401, headers: cors, body: '{"code":"unauthorized"}' } : next()
  await visitor.click('interact')
  await visitor.settled()
  assert.equal((await visitor.status()).dropped, 1, 'a refusal is never repeated, and counted')
  await visitor.leave()
}

/** A blocker cuts every request: some tries, then silence. */
export const blocked = async () => {
  const visitor = await Visitor.come('blocked', { beforePage: () => { window.complaints = []; for (const name of ['log', 'warn', 'error']) console[name] = (...words) => window.complaints.push(words) } })
  await visitor.settled()
  expect('blocked', view('blocked', 'home'))
  await visitor.context.route('**/v1/**', (route) => route.abort('blockedbyclient'))
  await visitor.page.clock.install()
  await visitor.page.reload()
  await visitor.isLoaded()
  await visitor.click('interact')
  await until('it to give up', async () => {
    await visitor.page.clock.runFor(70_000)
    return (await visitor.status()).isBlocked
  })
  const tries = visitor.requests - 1
  await visitor.page.evaluate(() => { for (let number = 0; number < 300; number += 1) touchstream('app.interaction', { name: 'x' }) })
  await visitor.page.clock.runFor(600_000)
  const { waiting, dropped } = await visitor.status()
  assert.ok(waiting <= 200 && dropped >= 100, `bounded and counted: ${waiting} ${dropped}`)
  assert.equal(visitor.requests - 1, tries, 'and tries no more')
  assert.ok(tries <= 8, `${tries} tries`)
  assert.deepEqual(await visitor.page.evaluate(() => window.complaints), [], 'without noise')
  // A blocker cuts beacons too.
  await visitor.page.evaluate(() => { navigator.sendBeacon = () => false })
  await visitor.leave()
}
