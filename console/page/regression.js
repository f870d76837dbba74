// The page of one regression: what was found, and the numbers before and since beside each other, as bars, over time and as tables.

import { bars, chart } from './charts.js'
import { element, none, show, table } from './elements.js'
import { chance, count, dateOrTime, duration, score, share, time, word } from './words.js'

/** What a rule's numbers are: shares, seconds, scores, or counts. */
export const FORMATS = { nps_fell: score, drop_off_rose: share, error_rate_rose: share, response_slo_burn: share, response_p95_rose: duration, touchpoint_silent: count, nothing_arrives: count }
const AGAIN = 15_000

/** Where it is: the names that are not all. */
export const placeOf = (row) => [...new Set([row.touchpoint, row.channel, row.rule === 'nothing_arrives' ? '' : row.detail])].filter((part) => part && part !== 'all').map(word).join(' · ') || word('all')

/** What was found, with its interval where that says more. */
export const foundIn = (row) => {
  const format = FORMATS[row.rule] ?? score
  return row.ci_low === null || row.ci_low === row.ci_high ? format(row.value) : `${format(row.value)} (${format(row.ci_low)} … ${format(row.ci_high)})`
}

/** What the rule compares with: mostly what is usual, else what is allowed. */
export const comparedWith = (row) => row.rule === 'response_slo_burn' ? 'allowed' : 'usual'

/** The address of a regression's page; it can be sent to somebody. */
export const addressOf = (row) => {
  const address = new URLSearchParams(location.hash.slice(1))
  address.set('tenant', document.forms.choices.elements.tenant.value)
  address.set('regression', JSON.stringify([row.rule, row.touchpoint, row.channel, row.detail, row.fired_ms]))
  return `#${address}`
}

const at = (id) => document.getElementById(id)
const section = at('regression')
let opened
let found
let timer

const facts = (pairs) => element('dl', {}, ...pairs.flatMap(([name, text]) => text ? [element('dt', {}, word(name)), element('dd', {}, text)] : []))

/** The same as a table, for who wants numbers or hears them. */
const asTable = (columns, rows) => element('details', {}, element('summary', {}, word('asTable')),
  element('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': word('asTable') }, table(columns, rows)))

/** Before and since by place. */
const pairs = (title, rows, format, cases) => {
  at('regression-compared').textContent = word(title)
  const before = rows.map((row) => row.before)
  const since = rows.map((row) => row.since)
  bars(at('regression_bars'), { labels: rows.map((row) => row.label), before, since, format, summary: `${word(title)}. ${rows.map((row) => `${row.label}: ${format(row.before)} → ${format(row.since)}`).join(', ')}` })
  show('regression_table', rows.length ? asTable([
    ['part', (row) => row.isMeant ? element('th', { scope: 'row' }, element('strong', {}, row.label)) : row.label], ['beforeIt', (row) => format(row.before)], ['sinceThen', (row) => format(row.since)],
    ...(cases ? [['casesBefore', (row) => count(row.before_n)], ['casesSince', (row) => count(row.since_n)]] : []),
  ], rows) : none('noneBefore'))
}

const course = (rows, lines, format, extra) => {
  if (rows.length < 2) return
  const { since_from } = found.spans
  const [{ key }] = lines
  chart(at('regression_course'), { rows, lines, format, since: since_from, summary: `${word('course')}: ${format(rows[0][key])} → ${format(rows.at(-1)[key])}`, ...extra })
  show('regression_course_table', asTable([
    ['time', (row) => dateOrTime(row.at, 0)], ...lines.map((line) => [line.word, (row) => format(row[line.key])]), ['n', (row) => count(row.n)],
  ], rows))
}

const parts = (rows, format) => {
  const of = (dimension, title) => {
    const chosen = rows.filter((row) => row.dimension === dimension && row.before_n + row.since_n > 0)
    return chosen.length ? [element('h3', {}, word(title)), element('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': word(title) }, table([
      [dimension, (row) => row.part], ['beforeIt', (row) => format(row.before_value)], ['sinceThen', (row) => format(row.since_value)], ['casesBefore', (row) => count(row.before_n)], ['casesSince', (row) => count(row.since_n)],
    ], chosen))] : []
  }
  show('regression_parts', element('div', { class: 'sides' }, ...[['device', 'byDevice'], ['channel', 'byChannel']].map(([dimension, title]) => element('div', {}, ...of(dimension, title)))))
}

const value = (format, label) => [[{ key: 'value', word: 'value', label, stroke: '--accent' }], format]

/** What was counted since, in words, and the charts of a rule. */
const DRAW = {
  nps_fell: () => {
    const sum = (key) => found.distribution.reduce((all, row) => all + row[key], 0)
    const [before, since] = [sum('before_n'), sum('since_n')]
    const points = (key, of) => of ? 100 * (found.distribution[0][key] - found.distribution[2][key]) / of : null
    pairs('answersShare', before + since ? found.distribution.map((row) => ({ ...row, label: word(row.place), before: before ? row.before_n / before : null, since: since ? row.since_n / since : null })) : [], share, true)
    course(found.course, ...value(score, word('npsChart')), { band: ['ci_low', 'ci_high'], range: [-100, 100] })
    return since ? `${score(points('since_n', since))}, ${word('onCases')} ${count(since)} ${word('casesOf')} (${word('beforeIt')}: ${score(points('before_n', before))}, ${count(before)})` : undefined
  },
  rate: (title) => {
    const { detail } = found.regression[0]
    const label = (row) => row.place === detail ? `▸ ${row.place}` : row.place
    const meant = found.distribution.find((row) => row.place === detail)
    pairs(title, found.distribution.map((row) => ({ ...row, label: label(row), isMeant: row === meant, before: row.before_value, since: row.since_value })), share, true)
    course(found.course, ...value(share, word('share')), { band: ['ci_low', 'ci_high'], range: (_, __, most) => [0, Math.min(1, (most ?? 0) * 1.1 || 1)] })
    return meant?.since_n ? `${share(meant.since_value)}, ${word('onCases')} ${count(meant.since_n)} ${word('casesOf')} (${word('beforeIt')}: ${share(meant.before_value)}, ${count(meant.before_n)})` : undefined
  },
  waits: () => {
    const { before, since, bars: rows } = found.waits
    const label = ({ to_s }) => to_s === null ? word('longer') : `${word('upTo')} ${duration(to_s)}`
    pairs('waitsShare', rows.map((row) => ({ ...row, label: label(row), before: before.n ? row.before_n / before.n : null, since: since.n ? row.since_n / since.n : null })), share, true)
    course(found.course, [
      { key: 'p95_s', word: 'p95', label: word('p95'), stroke: '--bad' }, { key: 'p50_s', word: 'median', label: word('median'), stroke: '--accent' },
      ...(found.course.some((row) => row.slo_s !== null) ? [{ key: 'slo_s', word: 'slo', label: word('slo'), stroke: '--quiet', dash: [6, 4] }] : []),
    ], duration, { range: (_, __, most) => [0, Math.max(most ?? 0, 1) * 1.1] })
    const side = (side) => `${word('median')} ${duration(side.p50_s)}, ${word('p95')} ${duration(side.p95_s)}, ${word('breached')} ${count(side.breached_n)}, ${word('onCases')} ${count(side.n)} ${word('casesOf')}`
    return before.n + since.n ? `${side(since)} (${word('beforeIt')}: ${side(before)})` : undefined
  },
  silence: () => {
    const { since_from, since_to, tile_s } = found.spans
    const title = tile_s === 300 ? 'silenceShort' : 'silenceLong'
    at('regression-compared').textContent = word(title)
    const sum = (key) => found.hours.filter((row) => row.at >= since_from && row.at < since_to).reduce((all, row) => all + (row[key] ?? 0), 0)
    const isUsualKnown = found.hours.some((row) => row.usual !== null)
    const summary = `${count(sum('n'))}${isUsualKnown ? `, ${word('usual')}: ${count(sum('usual'))}` : ''}`
    chart(at('regression_bars'), {
      rows: found.hours, format: count, since: since_from, summary: `${word(title)}. ${word('sinceThen')}: ${summary}`,
      lines: [{ key: 'n', label: word('eventsN'), stroke: '--accent' }, { key: 'usual', label: word('usual'), stroke: '--quiet', dash: [6, 4] }],
      range: (_, __, most) => [0, (most ?? 0) * 1.1 || 1],
    })
    show('regression_table', asTable([['time', (row) => dateOrTime(row.at, 0)], ['eventsN', (row) => count(row.n)], ['usual', (row) => score(row.usual)]], found.hours))
    return summary
  },
}
const drawing = (rule) => ({
  nps_fell: DRAW.nps_fell, drop_off_rose: () => DRAW.rate('leftShare'), error_rate_rose: () => DRAW.rate('failedShare'),
  response_p95_rose: DRAW.waits, response_slo_burn: DRAW.waits, touchpoint_silent: DRAW.silence, nothing_arrives: DRAW.silence,
})[rule]

const compared = () => {
  const { cycle_s, length_s, since_from, since_to } = found.spans
  if (found.hours) return word('silenceNote')
  const before = length_s < cycle_s ? 'comparedHours' : cycle_s === 86_400 ? 'comparedDay' : 'comparedWeeks'
  return `${word(before)} ${word('sinceSpan')} ${time(since_from)} – ${time(since_to)}. ${word('comparedNote')}`
}

const draw = () => {
  const [row] = found.regression
  const format = FORMATS[row.rule] ?? score
  at('regression-title').textContent = `${word(`rule_${row.rule}`)}: ${placeOf(row)}`
  document.title = `${at('regression-title').textContent} · touchstream`
  // First of all: what stands beside a chart decides its width.
  at('regression-course').hidden = (found.course?.length ?? 0) < 2
  const counted = drawing(row.rule)?.()
  const cases = (n) => n ? `, ${word('onCases')} ${count(n)} ${word('casesOf')}` : ''
  const suspects = row.suspects.map((name, index) => `${name} (${time(row.suspect_times[index])})`).join(', ')
  show('regression', facts([
    ['state', row.ended_as === '' ? word('isOpen') : `${word(`ended_${row.ended_as}`)} (${time(row.ended_at)})`],
    ['since', time(row.since)],
    ['found', `${foundIn(row)}${cases(row.n)}; ${time(row.fired_at)}`],
    [comparedWith(row), `${format(row.baseline)}${found.hours || row.baseline_kind === 'service_level' ? '' : cases(row.baseline_n)}; ${word(`kind_${row.baseline_kind}`)}`],
    ['sinceThen', counted],
    ['chance', row.probability > 0 ? chance(row.probability) : undefined],
    ['contributor', row.contributor],
    ['suspects', suspects],
    ['severity', word(`severity_${row.severity}`)],
    ['owner', row.owner || word('nobody')],
    ['runbook', /^https?:/.test(row.runbook ?? '') ? element('a', { href: row.runbook, rel: 'noreferrer' }, row.runbook) : row.runbook],
  ]))
  at('regression-spans').textContent = compared()
  if (found.parts ?? found.waits?.parts) parts(found.parts ?? found.waits.parts, found.waits ? duration : format)
  else show('regression_parts')
}

const blank = (text) => {
  found = undefined
  at('regression-title').textContent = word('regressions')
  show('regression', none(text))
  for (const id of ['regression_bars', 'regression_table', 'regression_course', 'regression_course_table', 'regression_parts', 'regression-compared', 'regression-spans']) at(id).replaceChildren()
  at('regression-course').hidden = true
}

/** In another language. */
export const sayAgain = () => {
  if (opened && found) draw()
}

/** The names in an address, if it has any. */
const namesIn = (wanted) => {
  try {
    const names = JSON.parse(wanted)
    return Array.isArray(names) && names.length === 5 ? names : undefined
  } catch {
    return undefined
  }
}

const read = async (wanted, tenant) => {
  const names = namesIn(wanted)
  if (!names) return blank('noRegression')
  const [rule, touchpoint, channel, detail, fired_ms] = names
  try {
    const answer = await fetch(`api/regression?${new URLSearchParams({ tenant, rule, touchpoint, channel, detail, fired_ms })}`)
    if (opened !== wanted) return
    if (answer.status === 404 || answer.status === 400) return blank('noRegression')
    if (!answer.ok) throw new Error(`status ${answer.status}`)
    const text = await answer.json()
    if (opened !== wanted) return
    // A table that somebody reads stays open while its numbers grow.
    const unfolded = [...section.querySelectorAll('details')].map((each) => each.open)
    found = text
    draw()
    section.querySelectorAll('details').forEach((each, index) => { each.open = unfolded[index] ?? false })
  } catch {
    if (opened !== wanted) return
    if (!found) blank('noRegressionNow')
  }
  timer = setTimeout(() => read(wanted, tenant), AGAIN)
}

/** Shows the page of a regression, or none. */
export const openRegression = (wanted, tenant) => {
  if (wanted === opened || wanted && !tenant) return
  const had = opened
  clearTimeout(timer)
  opened = wanted ?? undefined
  section.hidden = !opened
  at('main').classList.toggle('one', Boolean(opened))
  const address = new URLSearchParams(location.hash.slice(1))
  address.delete('regression')
  at('regression-back').href = `#${address}`
  if (opened) {
    blank('connecting')
    at('regression-title').focus()
    scrollTo(0, 0)
    return read(opened, tenant)
  }
  document.title = 'touchstream'
  if (had) [...document.querySelectorAll('#regressions a')].find((link) => new URLSearchParams(link.hash.slice(1)).get('regression') === had)?.focus()
}
