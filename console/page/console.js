// The page at work: choices → one stream of server-sent events → panels. What was chosen stands in the address, so that it can be sent to somebody.

import { redraw } from './charts.js'
import { PANELS } from './panels.js'
import { openRegression, sayAgain } from './regression.js'
import { speak, time, word } from './words.js'

const choices = document.getElementById('choices')
const state = document.getElementById('state')
const NAMES = ['tenant', 'touchpoint', 'channel', 'device', 'period']
const chosen = new URLSearchParams(location.hash.slice(1))
/** The newest rows by panel, to show them again in another language. */
const newest = new Map()
let stream
let isInTrouble = false

/** Says how things are; a screen reader hears of changes only, not of every second. */
const say = (text, isBad = false) => {
  const [status, clock] = state.children
  if (status.textContent !== text) status.textContent = text
  clock.textContent = isBad || !newest.size ? '' : time(Date.now() / 1000)
  state.classList.toggle('bad', isBad)
}

const option = (value) => new Option(value === 'all' ? word('all') : value, value)

/** Offers values, and keeps what is chosen even when it is not among them at the moment. */
const offer = (name, values) => {
  const select = choices.elements[name]
  const wanted = chosen.get(name) ?? (name === 'tenant' ? values[0] : 'all')
  const all = values.includes(wanted) || wanted === undefined ? values : [wanted, ...values]
  const known = [...select.options].map(({ value }) => value)
  if (all.join('\n') !== known.join('\n')) select.replaceChildren(...all.map(option))
  if (wanted !== undefined) select.value = wanted
}

const show = (name, rows) => {
  newest.set(name, rows)
  PANELS[name]?.(rows)
}

/** Shows the regression that the address names, or all numbers. */
const follow = () => {
  const wanted = new URLSearchParams(location.hash.slice(1)).get('regression')
  if (wanted) chosen.set('regression', wanted)
  else chosen.delete('regression')
  openRegression(wanted, choices.elements.tenant.value)
  redraw()
}

const connect = () => {
  stream?.close()
  follow()
  if (!choices.elements.tenant.value) return say(word('noTenant'))
  say(word('connecting'))
  const query = new URLSearchParams(NAMES.map((name) => [name, choices.elements[name].value]))
  stream = new EventSource(`api/stream?${query}`)
  stream.onopen = () => say(word('connecting'))
  stream.onerror = () => {
    say(word('cut'), true)
    // A browser gives up for good after an answer that is no stream.
    if (stream.readyState === EventSource.CLOSED) setTimeout(connect, 5000)
  }
  const hear = (name, take) => stream.addEventListener(name, ({ data }) => {
    take(JSON.parse(data))
    say(word(isInTrouble ? 'trouble' : 'live'), isInTrouble)
  })
  for (const name of Object.keys(PANELS)) hear(name, (rows) => show(name, rows))
  hear('choices', ([found]) => {
    offer('touchpoint', found.touchpoints.length ? found.touchpoints : ['all'])
    offer('channel', found.channels.length ? found.channels : ['all'])
    offer('device', found.devices.length ? found.devices : ['all'])
  })
  hear('trouble', (panel) => { isInTrouble = panel !== null })
}

/** Until somebody has sent something there is nothing to choose. */
const findTenants = async () => {
  try {
    const answer = await fetch('api/tenants')
    if (!answer.ok) throw new Error(`status ${answer.status}`)
    const tenants = (await answer.json()).map(({ tenant }) => tenant)
    const had = choices.elements.tenant.value
    offer('tenant', tenants)
    if (!choices.elements.tenant.value) say(word('noTenant'))
    else if (!had) connect()
  } catch {
    if (!choices.elements.tenant.value) say(word('cut'), true)
  }
  setTimeout(findTenants, choices.elements.tenant.value ? 60_000 : 2_000)
}

addEventListener('hashchange', follow)
// The link to the numbers is no choice: the address keeps what was chosen.
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault()
  document.getElementById('main').focus()
})
choices.addEventListener('submit', (event) => event.preventDefault())
choices.addEventListener('change', ({ target }) => {
  chosen.set(target.name, target.value)
  // Other choices lead back to all numbers.
  if (target.name !== 'language') chosen.delete('regression')
  history.replaceState(null, '', `#${chosen}`)
  if (target.name === 'language') {
    speak(target.value)
    for (const each of choices.querySelectorAll('option[value=all]')) each.textContent = word('all')
    newest.forEach((rows, name) => show(name, rows))
    return sayAgain()
  }
  newest.clear()
  connect()
})

speak(chosen.get('language'))
choices.elements.language.value = document.documentElement.lang
choices.elements.period.value = chosen.get('period') === 'week' ? 'week' : 'day'
for (const name of ['touchpoint', 'channel', 'device']) offer(name, [...new Set([chosen.get(name) ?? 'all', 'all'])])
findTenants()
