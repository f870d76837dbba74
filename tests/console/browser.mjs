// What the checks of the page share: one Chromium, pages that fail the run when they ask somebody else, and what holds for every page.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import assert from 'node:assert/strict'
import { chromium } from 'playwright-core'

const [address, , , executablePath, directory] = process.argv.slice(2)
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

export const url = address
export const pictures = directory
export const PATIENCE = 60_000
export const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })

/** A page that fails the run on an error of its own and on any request to somewhere else. */
export const open = async ({ width, colorScheme, hash }) => {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme })
  const faults = []
  page.on('pageerror', (error) => faults.push(error.stack))
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()))
  page.on('request', (request) => new URL(request.url()).origin === new URL(url).origin || request.url().startsWith('data:') || faults.push(`asks ${request.url()}`))
  await page.goto(`${url}/#${hash}`)
  return { page, faults }
}

export const assertFits = async (page, name) =>
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, `${name}: the page does not scroll sideways`)

export const assertAccessible = async (page, name) => {
  await page.evaluate(axe)
  const { violations } = await page.evaluate(() => globalThis.axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] }))
  assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html.slice(0, 200))]), [], `${name}: accessible`)
}
