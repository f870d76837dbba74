// The page of a regression in a real Chromium: each rule's evidence, before and since, on a desk and on a phone, to eyes and to screen readers.

import assert from 'node:assert/strict'
import { PATIENCE, assertAccessible, assertFits, browser, open, pictures, url } from './browser.mjs'

/** What each page says, in English and in German: the heading, and what its facts and tables contain. */
const PAGES = [
  ['drop_off', /Drop-off rose: checkout · payment/, /Mehr Abbrüche: checkout · payment/, [/40[.,]0\s?%.*960/, /5[.,]0\s?%/, /mobile\s*8[.,]0\s?%\s*60[.,]0\s?%/, /release 5\.3\.0/, /device=mobile/, /team-bakery/]],
  ['response', /Answers became slow: support/, /Antworten sind langsam geworden: support/, [/(20|19[.,]9|20[.,]1).?(min|Min)/, /1[.,]5.?(min|Min)/, /mobile/]],
  ['burn', /Promised response time is being broken/, /versprochene Antwortzeit/, [/72/, /(promised|versprochen)/]],
  ['nps', /NPS fell: delivery · email/, /NPS ist gefallen: delivery · email/, [/55[.,]6\s?%\s*30[.,]6\s?%/, /-8[.,]3/, /41[.,]7/]],
  ['errors', /More responses fail: shop · app · search/, /Mehr Antworten schlagen fehl: shop · app · search/, [/▸ search\s*0[.,]5\s?%\s*1[12][.,]\d\s?%/]],
  ['silent', /Touchpoint is silent: home · app/, /Kontaktpunkt ist verstummt: home · app/, [/0, (Usual|Üblich): 3[.,]?\d{3}/]],
  ['nothing', /Nothing arrives any more/, /Es kommt nichts mehr an/, [/(over|vorbei) \(/]],
]

for (const [name, width, colorScheme, language] of [['desk', 1440, 'light', 'en'], ['phone', 390, 'dark', 'de'], ['desk-dark', 1440, 'dark', 'de'], ['phone-light', 390, 'light', 'en']]) {
  const { page, faults } = await open({ width, colorScheme, hash: `tenant=bakery&language=${language}` })
  const links = page.locator('#regressions h3 a')
  await links.nth(5).waitFor({ timeout: PATIENCE })
  assert.equal(await links.count(), 6, 'six are open')
  assert.equal(await page.locator('#regressions .ended a').count(), 1, 'one is over')
  await page.screenshot({ path: `${pictures}/${name}-list.png`, fullPage: true })
  for (const [picture, english, german, says] of PAGES) {
    const heading = language === 'de' ? german : english
    // By keyboard: the link, the page, and back to the link.
    const link = page.locator('#regressions a').filter({ hasText: heading })
    await link.focus()
    const began = Date.now()
    await page.keyboard.press('Enter')
    const section = page.locator('#regression')
    await section.getByRole('heading', { level: 2, name: heading }).waitFor({ timeout: PATIENCE })
    console.log(`${name}: ${picture} opens after ${Date.now() - began} ms`)
    assert.equal(await page.evaluate(() => document.activeElement.id), 'regression-title', `${picture}: the heading is read first`)
    assert.equal(await page.locator('#matrix').isVisible(), false, `${picture}: is a page of its own`)
    const charts = section.locator('.chart [role=img]')
    assert.equal(await charts.count(), ['silent', 'nothing'].includes(picture) ? 1 : 2, `${picture}: charts`)
    for (const each of await charts.all()) assert.match(await each.getAttribute('aria-label'), /→|:/, `${picture}: what a chart shows is said`)
    for (const summary of await section.locator('summary').all()) {
      await summary.focus()
      await page.keyboard.press('Enter')
    }
    assert.ok(await section.locator('table').first().isVisible(), `${picture}: the numbers are a table, too`)
    const text = await section.evaluate((element) => element.innerText)
    for (const expected of says) assert.match(text, expected, `${name} ${picture}: ${text}`)
    assert.doesNotMatch(text, /undefined|NaN|Invalid/, `${name} ${picture}`)
    await assertFits(page, `${name} ${picture}`)
    await assertAccessible(page, `${name} ${picture}`)
    for (const summary of await section.locator('summary').all()) await summary.click()
    await page.screenshot({ path: `${pictures}/${name}-${picture}.png`, fullPage: true })
    await page.locator('#regression-back').focus()
    await page.keyboard.press('Enter')
    await page.locator('#matrix').waitFor({ timeout: PATIENCE })
    assert.match(await page.evaluate(() => document.activeElement.textContent), heading, `${picture}: back where it was opened`)
  }
  assert.deepEqual(faults, [])
  await page.close()
}

// An address can be sent to somebody; a language is another word for the same; what is not there is said; the browser's way back works.
const { page, faults } = await open({ width: 1440, colorScheme: 'light', hash: 'tenant=bakery&language=en' })
const link = page.locator('#regressions h3 a').filter({ hasText: 'payment' })
await link.click()
await page.locator('#regression').getByText('team-bakery').waitFor({ timeout: PATIENCE })
assert.equal(await page.locator('#regression dd a').getAttribute('href'), 'https://runbooks.bakery.test/payment')
await page.selectOption('select[name=language]', 'de')
await page.getByRole('heading', { name: 'Mehr Abbrüche: checkout · payment' }).waitFor({ timeout: PATIENCE })
const sent = await open({ width: 1440, colorScheme: 'light', hash: page.url().split('#')[1] })
await sent.page.getByRole('heading', { name: 'Mehr Abbrüche: checkout · payment' }).waitFor({ timeout: PATIENCE })
assert.deepEqual(sent.faults, [])
await page.goBack()
await page.locator('#matrix').waitFor({ timeout: PATIENCE })
assert.deepEqual(faults, [])
const lost = await open({ width: 1440, colorScheme: 'light', hash: `tenant=bakery&language=en&regression=${encodeURIComponent('["nps_fell","<b>","all","",1]')}` })
await lost.page.getByText('There is no such regression any more.').waitFor({ timeout: PATIENCE })
const odd = await open({ width: 1440, colorScheme: 'light', hash: `tenant=bakery&language=en&regression=${encodeURIComponent('{"a":1}')}` })
await odd.page.getByText('There is no such regression any more.').waitFor({ timeout: PATIENCE })
assert.deepEqual(odd.faults, [])

// When nothing arrives, or events were lost, the page says so in words before it shows numbers.
const quiet = await open({ width: 1440, colorScheme: 'light', hash: 'tenant=quiet&language=en' })
for (const words of [/Nothing arrives any more since .*before you believe any number/, /12 events were lost on the way/, /rules say nothing since .* \(watches: 1\)/]) await quiet.page.locator('#trust').getByText(words).waitFor({ timeout: PATIENCE })
assert.doesNotMatch(await quiet.page.locator('#trust').textContent(), /Events arrive/)
await assertAccessible(quiet.page, 'quiet')
await quiet.page.locator('#freshness').screenshot({ path: `${pictures}/quiet.png` })
assert.deepEqual(quiet.faults, [])
await browser.close()
console.log(`${url}: all held`)
