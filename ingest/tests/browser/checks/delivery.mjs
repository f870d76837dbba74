// Events arrive once, whatever happens to the network and the page.

import assert from 'node:assert/strict'
import { Visitor, expect, faultsOf, inTime, proxied, until, view } from './harness.mjs'

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
    setTimeout(() => {
      for (let number = 1; number <= 40; number += 1) touchstream('app.interaction', { name: 'm-' + number, filler: 'ü'.repeat(1300) })
      location.href = './cart'
    })
  })
  interactions('left-large', 'm', 40)
  await large.page.waitForURL('**/cart')
  await large.isLoaded()
  expect('left-large', view('left-large', 'cart'))
  await large.settled()
  await Promise.all([small.leave(), large.leave()])
}

/** A refusal to wait: what a server that is too busy answers. */
const cors = { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'retry-after', 'content-type': 'application/json' }
const busy = (seconds) => ({ status: 503, headers: { ...cors, 'retry-after': String(seconds) }, body: '{"code":"busy"}' })

/** Answers POSTs of a variant by `answer(number, forward)` and notes when each of them was answered. */
const answerPosts = (variant, answer) => {
  const times = []
  faultsOf(variant).answer = (request, forward) => {
    if (request.method !== 'POST') return forward()
    times.push(Date.now())
    return answer(times.length, forward)
  }
  return times
}

/** Says so and is gone, in one turn: only a beacon can take it. In a turn of its own, for a page that goes may owe the answer for ever. */
const interactAndGo = async (visitor, count) => {
  await visitor.page.evaluate((count) => setTimeout(() => {
    for (let number = 1; number <= count; number += 1) touchstream('app.interaction', { name: 'm-' + number })
    location.href = 'about:blank'
  }), count)
  // A page that is closed while it goes to another may never be reported as closed.
  await visitor.page.waitForURL('about:blank')
}

/** A beacon has no answer: what it took is sent again by the next page, unless so late that the copy would count as another event. */
export const beaconUnanswered = async () => {
  const refused = await withConsent('beacon-503', { endpoint: proxied('beacon-503') })
  await refused.settled()
  const times = answerPosts('beacon-503', async () => busy(1))
  await interactAndGo(refused, 2)
  interactions('beacon-503', 'm', 2)
  await until('the beacon', () => times.length === 1)
  await inTime('the refused page to close', refused.page.close())
  answerPosts('beacon-503', (_, forward) => forward())
  refused.page = await refused.open('cart')
  expect('beacon-503', view('beacon-503', 'cart'))
  await refused.settled()
  assert.deepEqual((await refused.device()).local, ['touchstream.state'])
  await refused.leave()

  const late = await withConsent('beacon-late', { endpoint: proxied('beacon-late') })
  await late.settled()
  const taken = answerPosts('beacon-late', (_, forward) => forward())
  await interactAndGo(late, 2)
  interactions('beacon-late', 'm', 2)
  await until('the beacon', () => taken.length === 1)
  await inTime('the late page to close', late.page.close())
  late.events = []
  const page = late.page = await late.context.newPage()
  await inTime('the late page’s clock', page.clock.install({ time: Date.now() + 51 * 60 * 1000 }))
  await page.goto(late.url('cart'))
  await late.isLoaded()
  expect('beacon-late', 'app.session_started', view('beacon-late', 'cart'))
  await until('the late page’s events', async () => {
    await page.clock.runFor(1000)
    return (await late.status()).waiting === 0
  })
  assert.deepEqual((await late.device()).local, ['touchstream.state'])
  assert.ok(late.events.length > 0 && !late.events.some((event) => event.type === 'app.interaction'), 'no copy goes out when it would count twice')
  await late.leave()
}

/** Whatever happens on its pages, nothing is sent before the time that the server asked for. */
export const retryAfter = async () => {
  const seconds = 5
  for (const variant of ['held', 'held-memory']) {
    const options = { endpoint: proxied(variant) }
    const visitor = variant === 'held' ? await withConsent(variant, options) : await Visitor.come(variant, options)
    if (variant !== 'held') expect(variant, view(variant, 'home'))
    await visitor.settled()
    let release
    const held = new Promise((resolve) => { release = resolve })
    const times = answerPosts(variant, (number, forward) => number === 1 ? busy(seconds) : forward())
    faultsOf(variant).before = (request) => request.method === 'POST' && held
    const before = visitor.requests
    await visitor.click('interact')
    await until('a request under way', () => visitor.requests > before)
    // While the answer is on its way, and after it.
    await visitor.click('interact')
    release()
    await until('the refusal', async () => times.length === 1 && (await visitor.status()).waiting === 2)
    await visitor.page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 50)))
    await visitor.click('interact')
    interactions(variant, 'm', 3)
    await visitor.page.evaluate(() => {
      for (let number = 1; number <= 60; number += 1) touchstream('app.interaction', { name: 'many-' + number })
      Object.defineProperty(document, 'hidden', { value: true, configurable: true })
      document.dispatchEvent(new Event('visibilitychange'))
      delete document.hidden
      dispatchEvent(new Event('online'))
      touchstream('flush')
    })
    interactions(variant, 'many', 60)
    if (variant === 'held') {
      // Another tab and the next page know it too.
      const other = await visitor.open('product?mark=o')
      await visitor.go('cart')
      expect(variant, view(variant, 'product'), view(variant, 'cart'))
      await other.evaluate(() => touchstream('flush'))
    }
    await visitor.settled()
    assert.ok(times[1] - times[0] >= seconds * 1000, `${variant}: ${times[1] - times[0]} ms after the refusal`)
    await until('a clean device', async () => !(await visitor.device()).local.includes('touchstream.pause'))
    await visitor.leave()
  }

  // What is nowhere but in memory has no other chance than the page's end.
  const visitor = await Visitor.come('held-end', { endpoint: proxied('held-end') })
  expect('held-end', view('held-end', 'home'))
  await visitor.settled()
  const times = answerPosts('held-end', (number, forward) => number === 1 ? busy(3600) : forward())
  await visitor.click('interact')
  expect('held-end', 'app.interaction m-1')
  await until('the refusal', () => times.length === 1)
  await visitor.page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 50)))
  await visitor.page.goto('about:blank')
  await until('the beacon', () => times.length === 2)
  await visitor.leave()
}

/** An answer, whatever it says, is no ad blocker: the page goes on after any number of them. */
export const longOutage = async () => {
  // Answers take their time by the real clock, so nothing may be cut off by the one that runs ahead.
  const after = `<script>Object.defineProperty(AbortSignal, 'timeout', { value: undefined })</script>`
  const visitor = await Visitor.come('outage', { endpoint: proxied('outage'), after })
  await visitor.settled()
  expect('outage', view('outage', 'home'))
  const times = answerPosts('outage', (number, forward) => number <= 12 ? busy(1) : forward())
  await visitor.page.clock.install()
  await visitor.page.reload()
  await visitor.isLoaded()
  expect('outage', view('outage', 'home'), 'app.interaction m-1')
  await visitor.click('interact')
  await until('the end of the outage', async () => {
    await visitor.page.clock.runFor(70_000)
    const { waiting, isBlocked } = await visitor.status()
    assert.ok(!isBlocked, `given up after ${times.length} answers`)
    return waiting === 0
  })
  assert.ok(times.length > 12)
  assert.equal((await visitor.status()).dropped, 0)
  await visitor.leave()
}

/** Two tabs share a queue on the device, and take turns. */
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
  // What one tab has just taken out, the other may still see for a moment: at worst each sends it once, under the same id.
  const distinct = new Set(visitor.sent).size
  assert.equal(distinct, 13, 'every event was sent')
  assert.ok(visitor.sent.length <= 2 * distinct, `${visitor.sent.length} sent, of ${distinct}`)

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
