// Elements that panels are made of. Texts from outside become text nodes, never markup.

import { word } from './words.js'

/** An element with attributes and children. */
export const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined) continue
    if (name === 'style') Object.entries(value).forEach(([key, text]) => made.style.setProperty(key, text))
    else made.setAttribute(name, value)
  }
  made.append(...children.filter((child) => child !== undefined))
  return made
}
const body = (name) => document.querySelector(`#${name} .body`) ?? document.getElementById(name)
export const show = (name, ...children) => body(name).replaceChildren(...children)
export const none = (name) => element('p', { class: 'none' }, word(name))

/** A table; `columns` are [word, cell of row, class]. The first cell of a row is its heading. */
export const table = (columns, rows) => element('table', {},
  element('thead', {}, element('tr', {}, ...columns.map(([name, , kind]) => element('th', { scope: 'col', class: kind }, word(name))))),
  element('tbody', {}, ...rows.map((row) => element('tr', {}, ...columns.map(([, cell, kind], index) => {
    const content = cell(row)
    if (content instanceof HTMLTableCellElement) return content
    return element(index ? 'td' : 'th', index ? { class: kind } : { scope: 'row' }, content)
  })))))

export const interval = (row, format) => row.ci_low === null || row.ci_low === undefined ? undefined : element('small', {}, `${format(row.ci_low)} … ${format(row.ci_high)}`)
