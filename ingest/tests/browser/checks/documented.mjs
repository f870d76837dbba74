// Every example of docs/browser.md runs: pages by their tags, calls one after the other, types by the compiler, styles by the browser.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { Visitor, expectSent, policies, run, tag, until } from './harness.mjs'

const text = readFileSync(`${run.sources}/../docs/browser.md`, 'utf8')
const blocks = (language) => [...text.matchAll(new RegExp('```' + language + '\\n([^]*?)```', 'g'))].map(([, block]) => block)
const here = (block) => block.replaceAll(/https:\/\/cx\.shop\.example|http:\/\/127\.0\.0\.1:8080/g, run.ingest).replaceAll('YOUR_KEY', run.key)

const collectAnswers = (visitor) => {
  const answers = []
  visitor.context.on('response', async (response) => { if (response.url().includes('/v1/')) answers.push(await response.json().catch(() => null)) })
  return answers
}

/** Each tag installs itself under the documented policy, and what it sends is accepted. */
export const tags = async () => {
  const { headers } = await fetch(`${run.ingest}/touchstream.js`)
  const hash = headers.get('etag').match(/sha384-[^"]+/)[0]
  const policy = `default-src 'none'; ${here(blocks('csp')[0].trim()).replace('YOUR_NONCE', 'n')}`
  let number = 0
  for (const block of blocks('html')) {
    const variant = `tag-${++number}`
    policies[variant] = policy
    const head = here(block).replaceAll('<script>', '<script nonce="n">').replace('sha384-HASH', process.env.FRESH ? '' : hash)
    const visitor = await Visitor.come(variant, { head })
    await until(`events of the page with ${head}`, () => visitor.events.some((event) => event.type === 'app.response'))
    await visitor.settled()
    if (block.includes('data-data-layer')) assert.ok(visitor.events.some((event) => event.type === 'checkout.started'))
    expectSent(visitor)
    await visitor.leave()
  }
  assert.ok(number >= 4, `${number} tags were found`)
}

/** Each call does what it says: accepted without a complaint. */
export const calls = async () => {
  const visitor = await Visitor.come('calls', { head: tag('data-timing="off"') + `<script src="${run.ingest}/touchstream-widget.js" defer></script>` })
  const answers = collectAnswers(visitor)
  await visitor.page.addStyleTag({ content: blocks('css')[0] })
  for (const block of blocks('js')) {
    await visitor.page.evaluate(block.replace(`variant: 'B'`, `variant: 'calls'`))
    const widget = visitor.page.locator('.touchstream-feedback')
    if (block.includes(`'ask'`) && block.includes('open')) {
      await widget.waitFor()
      assert.equal(await widget.evaluate((one) => getComputedStyle(one).borderRadius), '4px')
      await visitor.page.locator('.touchstream-close').click()
    }
    await visitor.settled()
  }
  await visitor.page.evaluate(() => touchstream('ask', { target: 'main', open: true, metric: 'csat', language: 'en' }))
  const inline = visitor.page.locator('main > .touchstream-feedback')
  assert.equal(await inline.evaluate((one) => getComputedStyle(one).position), 'static')
  await inline.getByRole('radio', { name: '4' }).check()
  await inline.getByRole('button', { name: 'Send' }).click()
  await visitor.settled()
  const types = new Set(visitor.events.map((event) => event.type))
  for (const type of ['checkout.started', 'checkout.step', 'checkout.friction', 'checkout.abandoned', 'checkout.completed', 'chat.started', 'app.task', 'feedback.answered', 'feedback.shown', 'feedback.dismissed']) {
    assert.ok(types.has(type), type)
  }
  assert.ok(answers.length > 0)
  for (const answer of answers) assert.deepEqual([answer.rejected, answer.warnings], [[], []])
  expectSent(visitor)
  await visitor.leave()
}

/** The calls are right by the types, and mistakes are found by them. */
export const types = () => {
  const mistakes = [
    `touchstream('checkout', 'payed')`, `touchstream('step', 'payment', 'done')`, `touchstream('app.task', { name: 'x', result: 'good' })`,
    `touchstream('feedback.answered', { metric: 'nps', score: 9 })`, `touchstream('consent', 'analytics')`, `touchstream('ask', { day: 3 })`,
  ]
  const reference = `/// <reference path="${run.sources}/browser/touchstream.d.ts" />\n`
  const place = `${run.output}/documented.ts`
  writeFileSync(place, reference + blocks('js').join('\n') + mistakes.map((mistake) => `// @ts-expect-error\n${mistake}\n`).join(''))
  execFileSync('node', [`${run.output}/node_modules/typescript/bin/tsc`, '--noEmit', '--strict', '--lib', 'es2020,dom', '--typeRoots', run.output + '/none', place], { stdio: 'pipe' })
}
