// What the checks share: the sample shop on an origin of its own, a faulty proxy before ingest, pages, and what is expected to arrive.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import { chromium } from 'playwright-core'

export const PATIENCE = 30_000

/** Arguments of the run, as the Rust test gives them. */
export const run = JSON.parse(process.argv[2])

/** Per variant: how often each label must be in Kafka, under distinct ids. */
export const expected = {}
export const expect = (variant, ...labels) => {
  for (const label of labels) {
    expected[variant] ??= {}
    expected[variant][label] = (expected[variant][label] ?? 0) + 1
  }
}

/** What tells events apart, as in arrived.rs. */
const label = ({ type, data, context }) => [type, data.step, data.action, data.name, context.anonymous_id && data.transaction_id, data.metric, data.score, data.code]
  .filter((part) => part !== undefined).join(' ')

/** Whatever this visitor has sent must arrive, once. */
export const expectSent = (visitor) => {
  const once = new Map(visitor.events.map((event) => [event.id, event]))
  expect(visitor.variant, ...[...once.values()].map(label))
}

/** What `promise` gives, but not after the deadline: what a page evaluates has none of its own. */
export const inTime = async (what, promise, milliseconds = PATIENCE) => {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited for ${what} for ${milliseconds} ms`)), milliseconds)
  })
  try { return await Promise.race([promise, late]) } finally { clearTimeout(timer) }
}

/** Waits until `condition` gives something true. */
export const until = async (what, condition) => {
  const deadline = Date.now() + PATIENCE
  for (;;) {
    const value = await inTime(what, condition())
    if (value) return value
    assert.ok(Date.now() < deadline, `waited for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 30))
  }
}

const listen = (handler) => new Promise((resolve) => {
  const server = http.createServer(handler)
  server.listen(0, '127.0.0.1', () => resolve({ server, origin: `http://127.0.0.1:${server.address().port}` }))
})

/** Content of <head> by scenario; the shop serves /s/SCENARIO/anything. */
const heads = {}
export const policies = {}
const file = (name) => readFileSync(`${run.sources}/tests/browser/site/${name}`)
const kinds = { js: 'text/javascript', css: 'text/css' }

const shop = await listen((request, response) => {
  const path = new URL(request.url, 'http://shop').pathname
  const [, place, name] = path.split('/')
  if (place === 'site') {
    response.setHeader('content-type', kinds[name.split('.').pop()])
    return response.end(file(name))
  }
  if (!(name in heads)) return response.writeHead(404).end()
  response.setHeader('content-type', 'text/html; charset=utf-8')
  if (policies[name]) response.setHeader('content-security-policy', policies[name])
  response.end(String(file('shop.html')).replace('<!-- head -->', () => heads[name]))
})
export const shopOrigin = shop.origin

/** The proxy: below /VARIANT it does to requests what `faults` of that variant say: `before` may delay, `answer` may answer itself. */
const faultsByVariant = {}
export const faultsOf = (variant) => faultsByVariant[variant] ??= { before: async () => {}, answer: (_, forward) => forward() }
export const proxied = (variant) => `${proxy.origin}/${variant}`
const agent = new http.Agent({ keepAlive: true })
const proxy = await listen(async (request, response) => {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  const body = Buffer.concat(chunks)
  const [, variant, ...path] = request.url.split('/')
  const faults = faultsOf(variant)
  await faults.before(request)
  const forward = () => new Promise((resolve) => {
    const target = new URL('/' + path.join('/'), run.ingest)
    const onward = http.request(target, { method: request.method, headers: { ...request.headers, host: target.host }, agent }, async (answer) => {
      const parts = []
      for await (const part of answer) parts.push(part)
      resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) })
    })
    onward.end(body)
  })
  const { status, headers, body: answer } = await faults.answer(request, forward)
  if (!response.destroyed) response.writeHead(status, headers).end(answer)
})

export const browser = await chromium.launch({
  executablePath: run.chromium, headless: true, args: ['--no-sandbox', '--headless=new', '--disable-dev-shm-usage'],
})

/** The tag that a shop copies. */
const stub = `window.touchstream=window.touchstream||function(){var a=arguments;a.t=Date.now();(touchstream.q=touchstream.q||[]).push(a)}`
export const tag = (attributes = '', endpoint = run.ingest) =>
  `<script nonce="n">${stub}</script>
   <script async src="${endpoint}/touchstream.js" data-key="${run.key}" ${attributes}></script>`

/** A visitor: a fresh browser profile whose pages all say `variant`. */
export class Visitor {
  constructor(variant) { this.variant = variant; this.sent = []; this.events = []; this.requests = 0; this.errors = [] }

  static async come(variant, { attributes = 'data-timing="off"', endpoint, head, after = '', context = {}, beforePage, delayFile } = {}) {
    const visitor = new Visitor(variant)
    heads[variant] = (head ?? tag(attributes, endpoint)) + `<script nonce="n">${stub};touchstream('set', { variant: '${variant}' })</script>` + after
    visitor.context = await browser.newContext({ locale: 'de-DE', ...context })
    visitor.context.setDefaultTimeout(PATIENCE)
    visitor.context.on('request', (request) => {
      if (!request.url().includes('/v1/')) return
      visitor.requests += 1
      const body = request.postData()
      if (!body?.startsWith('[')) return
      const events = JSON.parse(body)
      visitor.events.push(...events)
      visitor.sent.push(...events.map((event) => event.id))
    })
    // Just after an outage a request may still find no network; what it held is rightly sent again.
    visitor.context.on('requestfailed', (request) => {
      const body = request.url().includes('/v1/') && request.postData()
      if (!body || !body.startsWith('[')) return
      for (const { id } of JSON.parse(body)) visitor.sent.splice(visitor.sent.indexOf(id), 1)
    })
    visitor.context.on('response', async (response) => {
      if (!response.url().includes('/v1/')) return
      // A page that has gone takes the answer with it.
      const answer = await response.json().catch(() => null)
      if (answer?.rejected?.length) visitor.errors.push(`${JSON.stringify(answer)} to ${response.request().postData()}`)
    })
    // While the files are worked on, FRESH=FOLDER: those on disk instead of those that were compiled in.
    if (process.env.FRESH) for (const name of ['touchstream', 'touchstream-widget']) {
      await visitor.context.route(`**/${name}.js`, (route) => route.fulfill({ path: `${process.env.FRESH}/${name}.min.js`, headers: { 'access-control-allow-origin': '*' }, contentType: 'text/javascript' }))
    }
    if (delayFile) await visitor.context.route('**/touchstream.js', async (route) => {
      await new Promise((resolve) => setTimeout(resolve, delayFile))
      return route.fallback()
    })
    if (beforePage) await visitor.context.addInitScript(beforePage)
    visitor.page = await visitor.open('home')
    return visitor
  }

  url(path) { return `${shopOrigin}/s/${this.variant}/${path}` }

  async open(path) {
    const page = await this.context.newPage()
    page.on('pageerror', (error) => this.errors.push(String(error)))
    await page.goto(this.url(path))
    await this.isLoaded(page)
    return page
  }

  async isLoaded(page = this.page) {
    await until('touchstream.js', () => page.evaluate(() => window.touchstream?.version))
    // Its own first events come when the page is idle, in the order of asking.
    await inTime('an idle page', page.evaluate(() => new Promise((resolve) => requestIdleCallback(resolve, { timeout: 5000 }))))
  }

  async go(link, page = this.page) {
    await page.click('#to-' + link)
    await page.waitForURL('**/' + link + '*')
    await this.isLoaded(page)
  }

  async click(...ids) { for (const id of ids) await this.page.click('#' + id) }

  status(page = this.page) { return page.evaluate(() => new Promise((resolve) => touchstream('status', resolve))) }

  /** Everything that waits was answered. */
  async settled(page = this.page) {
    await until(`${this.variant} to be settled`, async () => (await this.status(page)).waiting === 0)
  }

  /** What is on the device, by every means a page has. */
  device(page = this.page) {
    return inTime('what is on the device', page.evaluate(async () => ({
      local: Object.keys(localStorage), session: Object.keys(sessionStorage), cookie: document.cookie,
      databases: (await indexedDB.databases()).length, caches: window.caches ? (await caches.keys()).length : 0,
    })))
  }

  async expectNothingOnDevice(page = this.page) {
    assert.deepEqual(await this.device(page), { local: [], session: [], cookie: '', databases: 0, caches: 0 }, this.variant)
    assert.deepEqual(await this.context.cookies(), [])
  }

  async leave() {
    assert.deepEqual(this.errors, [], this.variant)
    await inTime('the visit to close', this.context.close())
  }
}

export const view = (variant, path) => `app.screen_viewed /s/${variant}/${path}`

export const end = async () => {
  await browser.close()
  shop.server.close()
  proxy.server.closeAllConnections()
  proxy.server.close()
  agent.destroy()
}
