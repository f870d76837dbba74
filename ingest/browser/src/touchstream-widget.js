// touchstream-widget.js: asks visitors for a score and a reason. Needs touchstream.js on the page; docs/browser.md shows how.
//
// Adds touchstream('ask', options). Promises: plain HTML that a site can style, usable by keyboard and screen reader, answers that lead
// to nobody unless the site says otherwise, and nobody asked twice within `days`.

import { textsIn } from './texts.js'
import { addStyle } from './widget_style.js'

const ASKED = 'touchstream.asked'
const DAY_MS = 24 * 60 * 60 * 1000
/** Scales by metric, as the server has them. */
const SCALES = { nps: [0, 10], csat: [1, 5], ces: [1, 7] }
/** How long the thanks stay, unless somebody is at them. */
const THANKS_MS = 8000

/** An element with attributes and children; texts are never read as HTML. */
const element = (name, attributes, ...children) => {
  const made = document.createElement(name)
  for (const key in attributes) made.setAttribute(key, attributes[key])
  made.append(...children)
  return made
}

let count = 0
let wasAsked = false
let isOpen = false

window.touchstream('use', 'ask', ({ hasConsent, read, track, uuid, write }) => (options = {}) => {
  const days = options.days == null ? 30 : options.days
  // Without consent nothing may remember on the device that this visitor was asked; so only he himself may open it then.
  const mayAsk = options.open || !wasAsked && (hasConsent() ? !(Date.now() - read(ASKED) < days * DAY_MS) : options.withoutConsent)
  if (isOpen || !mayAsk) return
  isOpen = wasAsked = true
  if (hasConsent()) write(ASKED, Date.now())

  const metric = options.metric || 'nps'
  const [lowest, highest] = SCALES[metric]
  const language = options.language || document.documentElement.lang || navigator.language
  const texts = { ...textsIn(language), ...options.texts }
  const id = 'touchstream-' + ++count
  const submission_id = uuid()
  const tell = (what, data) => track('feedback.' + what, { survey_id: options.survey || metric, submission_id, ...data },
    { locale: language, ...options.context }, { anonymous: !options.identified })

  const scores = element('div', { class: 'touchstream-scores is-' + metric })
  for (let score = lowest; score <= highest; score += 1) {
    scores.append(element('label', {},
      element('input', { type: 'radio', name: id, value: score, 'aria-describedby': id + '-ends ' + id + '-error' }),
      element('span', {}, '' + score)))
  }
  const error = element('p', { class: 'touchstream-error', id: id + '-error', role: 'alert' })
  const thanks = element('p', { class: 'touchstream-thanks', role: 'status' })
  // Says to a screen reader that there is a question now, without taking the focus away from what he does.
  const news = element('p', { class: 'touchstream-news', role: 'status' })
  const reason = element('textarea', { id: id + '-reason', maxlength: 2000, rows: 2, 'aria-describedby': id + '-hint' })
  const close = element('button', { type: 'button', class: 'touchstream-close', 'aria-label': texts.close }, '×')
  const form = element('form', { novalidate: '' },
    element('fieldset', {},
      element('legend', { id }, texts.question),
      scores,
      element('p', { class: 'touchstream-ends', id: id + '-ends' },
        element('span', {}, lowest + ' = ' + texts.low), element('span', {}, highest + ' = ' + texts.high))),
    error,
    element('label', { class: 'touchstream-reason', for: id + '-reason' }, texts.reason),
    reason,
    element('p', { class: 'touchstream-hint', id: id + '-hint' }, options.identified ? '' : texts.hint),
    element('button', { class: 'touchstream-send' }, texts.send))
  const target = options.target && document.querySelector(options.target)
  const widget = element('section', {
    class: 'touchstream-feedback' + (target ? ' is-inline' : ''), role: 'region', 'aria-labelledby': id, lang: texts.language,
  }, close, form, thanks, news)

  const before = document.activeElement
  const leave = () => {
    const hadFocus = widget.contains(document.activeElement)
    widget.remove()
    document.removeEventListener('keydown', escape)
    isOpen = false
    if (hadFocus && before && before.focus) before.focus()
  }
  const dismiss = () => {
    if (form.isConnected) tell('dismissed')
    leave()
  }
  // Escape closes from within, and from a page that has no focus of its own; another dialog keeps its Escape.
  const escape = (event) => {
    const { activeElement } = document
    if (event.key === 'Escape' && !event.defaultPrevented && (widget.contains(activeElement) || activeElement === document.body)) dismiss()
  }
  document.addEventListener('keydown', escape)
  close.onclick = dismiss
  scores.onchange = () => { error.textContent = '' }
  form.onsubmit = (event) => {
    event.preventDefault()
    const chosen = scores.querySelector(':checked')
    if (!chosen) {
      error.textContent = texts.missing
      return scores.querySelector('input').focus()
    }
    const text = reason.value.trim()
    tell('answered', { metric, score: +chosen.value, ...(metric === 'nps' ? {} : { scale_min: lowest, scale_max: highest }), ...(text && { text }) })
    // The focus must not fall to the page's start when the form goes.
    close.focus()
    form.remove()
    news.remove()
    widget.removeAttribute('aria-labelledby')
    widget.setAttribute('aria-label', texts.thanks)
    thanks.textContent = texts.thanks
    setTimeout(function end() {
      if (widget.matches(':hover') || widget.querySelector(':focus-visible')) setTimeout(end, THANKS_MS)
      else leave()
    }, THANKS_MS)
  }

  addStyle()
  ;(target || document.body).append(widget)
  // What the visitor opened himself takes the focus; what comes by itself does not take it away.
  if (options.open) scores.querySelector('input').focus()
  else setTimeout(() => { news.textContent = texts.question }, 500)
  tell('shown')
})
