// The console in a real Chromium: what it shows, how soon, in both languages and both schemes, on a desk and on a phone, to eyes and to screen readers.

import assert from 'node:assert/strict'
import { PATIENCE, assertAccessible, assertFits, browser, open, pictures, url } from './browser.mjs'

const [, ingest, key] = process.argv.slice(2)

const send = async (events) => {
  const answer = await fetch(`${ingest}/v1/events`, {
    method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, body: JSON.stringify(events),
  })
  return answer.json()
}
const answer = (score, text) => [
  { type: 'feedback.answered', context: { touchpoint: 'checkout', channel: 'web', device: 'mobile', session_id: 's' }, data: { submission_id: `${score}${text}`, survey_id: 'nps', metric: 'nps', score } },
  { type: 'feedback.answered', context: { touchpoint: 'checkout', channel: 'web', device: 'mobile', session_id: 's' }, data: { submission_id: `${score}${text}`, survey_id: 'nps', question_id: 'why', metric: 'text', text } },
]

// Nothing was ever sent: the page says so, and begins by itself.
const first = await open({ width: 1440, colorScheme: 'light', hash: '' })
await first.page.getByText('No tenant has sent anything yet.').waitFor({ timeout: PATIENCE })
const hostile = '<img src=x onerror="document.title=\'taken over\'"> & "quotes"'
const events = [9, 10, 8, 3].flatMap((score) => answer(score, score === 3 ? hostile : `Reason of ${score}`))
for (const [attempt, steps] of [['a', ['cart', 'payment']], ['b', ['cart']]]) {
  const context = { touchpoint: 'checkout', channel: 'web', device: 'mobile', session_id: attempt }
  events.push({ type: 'checkout.started', context, data: { checkout_id: attempt, value: 10, currency: 'EUR' } })
  for (const step of steps) events.push({ type: 'checkout.step', context, data: { checkout_id: attempt, step } })
  events.push(attempt === 'a'
    ? { type: 'checkout.completed', context, data: { checkout_id: attempt, transaction_id: 't', value: 10, currency: 'EUR' } }
    : { type: 'checkout.abandoned', context, data: { checkout_id: attempt, reason: 'costs' } })
}
for (const sender of ['customer', 'agent']) {
  const context = { touchpoint: 'support', channel: 'chat', session_id: 'c' }
  events.push({ type: 'chat.message', context, data: { conversation_id: 'c', message_id: sender, sender } })
}
events.push({ type: 'feedback.answered', data: { survey_id: 'nps', metric: 'nps', score: 11 } })
const answered = await send(events)
assert.equal(answered.accepted, events.length - 1, JSON.stringify(answered))
const { page } = first
await page.locator('#nps .number').waitFor({ timeout: PATIENCE })
await page.getByText('4 answers').waitFor({ timeout: PATIENCE })
assert.equal(await page.locator('#nps .number').textContent(), '25.0')
await page.getByText(hostile).waitFor({ timeout: PATIENCE })
await page.locator('#funnel').getByText('completed').waitFor({ timeout: PATIENCE })
await page.locator('#response').getByText('First answer, customer’s clock').waitFor({ timeout: PATIENCE })
await page.locator('#matrix').getByText('n 4').first().waitFor({ timeout: PATIENCE })
await page.locator('#events').getByText('chat.message').first().waitFor({ timeout: PATIENCE })
await page.locator('#rejections').getByText('field_invalid').or(page.locator('#rejections td')).first().waitFor({ timeout: 120_000 })
const refused = page.locator('#refused tbody tr')
await refused.first().waitFor({ timeout: PATIENCE })
assert.match(await refused.first().innerText(), /feedback\.answered\s+out_of_range\s+data\.score\s+web\s+1/)
assert.equal(await page.title(), 'touchstream', 'what customers write is text')

// What is worse, with its evidence; an address of a runbook that is none is no link to follow.
const regression = page.locator('#regressions .regression')
await regression.getByText('Drop-off rose: checkout · payment').waitFor({ timeout: PATIENCE })
assert.match(await regression.textContent(), /42.0% \(38.0% … 46.0%\).*6.0%.*300.*team-checkout.*release 5.3.0/s)
assert.equal(await regression.locator('a:not([href^="#"])').count(), 0)
assert.equal(await page.getByText('Now', { exact: true }).count(), 0, 'what was found is not how it is now')

// How soon one more answer is seen: the page is watched, not asked again.
const began = Date.now()
await send(answer(10, 'One more'))
await page.getByText('5 answers').waitFor({ timeout: PATIENCE })
console.log(`an answer is seen after ${Date.now() - began} ms`)

// Another language at once, without a new page.
await page.selectOption('select[name=language]', 'de')
await page.getByText('Was Kunden schreiben').waitFor({ timeout: PATIENCE })
assert.equal(await page.locator('select[name=channel] option[value=all]').textContent(), 'alle')
await page.selectOption('select[name=language]', 'en')

// A choice is kept in the address, and narrows the numbers.
await page.selectOption('select[name=touchpoint]', 'support')
await page.locator('#nps').getByText('No answers in this period.').waitFor({ timeout: PATIENCE })
assert.match(page.url(), /touchpoint=support/)

for (const [name, width, colorScheme, language] of [['desk', 1440, 'light', 'en'], ['phone', 390, 'dark', 'de']]) {
  const begun = Date.now()
  const { page, faults } = await open({ width, colorScheme, hash: `tenant=shop&language=${language}` })
  await page.locator('#nps .number').waitFor({ timeout: PATIENCE })
  console.log(`${name}: opens with numbers after ${Date.now() - begun} ms`)
  await page.locator('#matrix table').waitFor({ timeout: PATIENCE })
  await page.locator('#freshness .body table').waitFor({ timeout: PATIENCE })
  await assertFits(page, name)
  assert.equal(await page.evaluate(() => document.documentElement.lang), language)
  await assertAccessible(page, name)
  // By keyboard alone: the first stop leads to the numbers.
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main')
  assert.match(page.url(), /tenant=shop/, `${name}: the way to the numbers keeps what was chosen`)
  assert.match(await page.locator('#trust').textContent(), language === 'de' ? /Ereignisse kommen an/ : /Events arrive/)
  await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true })
  assert.deepEqual(faults, [])
}
assert.deepEqual(first.faults, [])
await browser.close()
console.log('all held')
