// The feedback widget: by keyboard alone, by axe-core's rules, anonymous, once in thirty days; with pictures to look at.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { mkdirSync, readFileSync } from 'node:fs'
import { Visitor, expect, policies, run, tag, until, view } from './harness.mjs'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const DAY = 24 * 60 * 60 * 1000
const head = `${tag('data-timing="off"')}<script async src="${run.ingest}/touchstream-widget.js" id="widget"></script>`
/** A strict policy, as docs/browser.md gives it; the nonce stands for the site's own inline scripts. */
const policy = `default-src 'self'; script-src 'self' 'nonce-n' ${run.ingest}; connect-src ${run.ingest}; style-src 'self'; object-src 'none'; base-uri 'none'`

const widget = (page) => page.locator('.touchstream-feedback')
const focused = (page) => page.evaluate(() => document.activeElement.className || document.activeElement.value || document.activeElement.id || document.activeElement.tagName)
const answersOf = (visitor) => visitor.events.filter((event) => event.type.startsWith('feedback.'))

const checkAccessibility = async (page, what) => {
  await page.evaluate(axe)
  const { violations } = await page.evaluate(() => window.axe.run('.touchstream-feedback', {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  }))
  assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html)]), [], what)
}

/** Opened, answered and closed with the keyboard; the answer leads to nobody. */
export const keyboard = async () => {
  policies.keyboard = policy
  const visitor = await Visitor.come('keyboard', { head })
  const { page } = visitor
  const refused = []
  page.on('console', (message) => { if (/Content Security Policy/i.test(message.text())) refused.push(message.text()) })
  await visitor.click('accept')
  await page.focus('#feedback')
  await page.keyboard.press('Enter')
  await widget(page).waitFor()
  assert.equal(await focused(page), '0', 'the first number has the focus')
  assert.equal(await widget(page).locator('legend').textContent(), 'Wie wahrscheinlich ist es, dass Sie uns weiterempfehlen?')
  await page.keyboard.press('Enter')
  assert.equal(await widget(page).getByRole('alert').textContent(), 'Bitte wählen Sie eine Zahl.')
  for (let presses = 0; presses < 9; presses += 1) await page.keyboard.press('ArrowRight')
  assert.equal(await focused(page), '9')
  assert.equal(await widget(page).getByRole('alert').textContent(), '')
  await page.keyboard.press('Tab')
  await page.keyboard.type('Schnelle Lieferung, Fragen an anna@example.org')
  await page.keyboard.press('Tab')
  assert.equal(await focused(page), 'touchstream-send')
  await page.keyboard.press('Enter')
  assert.equal(await widget(page).locator('.touchstream-thanks').textContent(), 'Vielen Dank für Ihre Antwort.')
  await page.keyboard.press('Escape')
  await widget(page).waitFor({ state: 'detached' })
  assert.equal(await focused(page), 'feedback', 'the focus is where it was')
  await visitor.settled()
  assert.deepEqual(refused, [], 'a strict policy is enough')
  const [shown, answered, ...more] = answersOf(visitor)
  assert.deepEqual([shown.type, answered.type, more], ['feedback.shown', 'feedback.answered', []])
  assert.equal(shown.data.submission_id, answered.data.submission_id)
  assert.deepEqual([answered.data.score, answered.data.survey_id], [9, 'shop'])
  for (const event of [shown, answered]) {
    for (const id of ['customer_id', 'anonymous_id', 'session_id', 'account_id', 'seq']) assert.ok(!(id in event.context), id)
  }
  expect('keyboard', view('keyboard', 'home'), 'feedback.shown', 'feedback.answered nps 9')
  await visitor.leave()
}

/** Nobody is asked twice within 30 days; without consent nobody is asked unless he asks for it. */
export const askedOnce = async () => {
  const told = head.replace('id="widget"', 'onload="window.isWidgetLoaded = true"')
  const visitor = await Visitor.come('asked-once', { head: told })
  const { page } = visitor
  const ask = () => page.evaluate(() => touchstream('ask', { survey: 'auto' }))
  const loaded = () => until('the widget', () => page.evaluate(() => window.isWidgetLoaded))
  await loaded()
  await ask()
  assert.equal(await widget(page).count(), 0, 'without consent nobody can know whether he was asked')
  // A clock that takes over shows 1970 for a moment, and nothing must be on its way with that.
  await visitor.settled()
  await page.clock.install()
  await visitor.click('accept')
  await ask()
  await widget(page).waitFor()
  assert.equal(await focused(page), 'accept', 'the focus is not taken away')
  await page.keyboard.press('Escape')
  assert.equal(await widget(page).count(), 1, 'Escape elsewhere is not meant for it')
  await widget(page).getByRole('button', { name: 'Schließen' }).click()
  assert.equal(await widget(page).count(), 0)
  expect('asked-once', view('asked-once', 'home'), 'feedback.shown', 'feedback.dismissed')
  // Nothing waits before a page has told of itself, either.
  const viewed = async (pages) => {
    await page.clock.runFor(5000)
    const ids = () => new Set(visitor.events.filter(({ type }) => type === 'app.screen_viewed').map(({ id }) => id))
    await until(`the view of page ${pages}`, () => ids().size === pages)
    await visitor.settled()
  }
  let pages = 0
  for (const [days, isAsked] of [[29, false], [2, true]]) {
    await viewed(pages += 1)
    await page.clock.setSystemTime(new Date(await page.evaluate(() => Date.now()) + days * DAY))
    await page.reload()
    await visitor.isLoaded()
    await loaded()
    await ask()
    await page.clock.runFor(1000)
    assert.equal(await widget(page).count(), isAsked ? 1 : 0, `after ${days} more days`)
    expect('asked-once', 'app.session_started', view('asked-once', 'home'))
  }
  expect('asked-once', 'feedback.shown')
  await viewed(pages += 1)
  await visitor.leave()
}

/** axe-core, sizes of targets, and pictures at both widths, light and dark, in both languages. */
export const looks = async () => {
  const pictures = `${run.output}/pictures`
  mkdirSync(pictures, { recursive: true })
  for (const [width, scheme, language] of [[390, 'light', 'de'], [390, 'dark', 'en'], [1440, 'light', 'en'], [1440, 'dark', 'de']]) {
    const variant = `looks-${width < 500 ? 'narrow' : 'wide'}-${scheme}`
    const visitor = await Visitor.come(variant, { head, context: { viewport: { width, height: 844 }, colorScheme: scheme, deviceScaleFactor: 2, reducedMotion: 'reduce' } })
    const { page } = visitor
    const picture = (name) => page.screenshot({ path: `${pictures}/${variant}-${name}.png` })
    await page.evaluate((language) => { document.documentElement.lang = language }, language)
    await visitor.click('feedback')
    await widget(page).waitFor()
    await checkAccessibility(page, variant)
    const small = await widget(page).locator('label:has(input), button, textarea').evaluateAll((all) =>
      all.map((one) => one.getBoundingClientRect()).filter(({ width, height }) => width < 24 || height < 24).length)
    assert.equal(small, 0, 'targets of at least 24 px')
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    assert.ok(overflow <= 0, `${overflow} px too wide`)
    await picture('open')
    await page.keyboard.press('Enter')
    await checkAccessibility(page, variant + ' with an error')
    await widget(page).locator('label', { hasText: /^8$/ }).click()
    await page.keyboard.press('ArrowLeft')
    await picture('chosen')
    await widget(page).locator('.touchstream-send').click()
    // The thanks go after a while, unless somebody is at them.
    await widget(page).hover()
    await checkAccessibility(page, variant + ' with thanks')
    await picture('thanks')
    expect(variant, view(variant, 'home'), 'feedback.shown', 'feedback.answered nps 7')
    await visitor.settled()
    await visitor.leave()
  }
}
