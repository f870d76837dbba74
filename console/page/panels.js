// What each panel makes of its rows.

import { chart, markChanges } from './charts.js'
import { element, interval, none, show, table } from './elements.js'
import { FORMATS, addressOf, comparedWith, foundIn, placeOf } from './regression.js'
import { count, duration, score, share, time, word } from './words.js'

const nps = ([row]) => {
  if (!row) return show('nps', none('noAnswers'))
  const parts = [['promoters', row.promoters_n], ['passives', row.passives_n], ['detractors', row.detractors_n]]
  show('nps',
    element('div', { class: 'number' }, score(row.value)),
    element('p', { class: 'interval' }, `${word('interval')}: ${score(row.ci_low)} … ${score(row.ci_high)} · ${count(row.n)} ${word('answers')}`),
    element('div', { class: 'mix', 'aria-hidden': 'true' }, ...parts.map(([name, n]) => element('span', { class: name, style: { 'flex-grow': n / row.n } }))),
    element('ul', { class: 'legend' }, ...parts.map(([name, n]) => element('li', {}, element('i', { class: name }), `${word(name)} ${count(n)} (${share(n / row.n)})`))))
}

const npsChart = (rows) => chart(document.getElementById('nps_chart'), {
  rows,
  lines: [{ key: 'value', label: word('npsChart'), stroke: '--accent' }],
  band: ['ci_low', 'ci_high'],
  format: score,
  range: [-100, 100],
  summary: rows.length ? `${word('nps')}: ${score(rows[0].value)} → ${score(rows.at(-1).value)}` : '',
})

const funnel = (rows) => {
  if (!rows.length) return show('funnel', none('noCheckouts'))
  const most = Math.max(...rows.map((row) => row.reached_n), 1)
  const reached = (row) => element('td', { class: 'bar', style: { '--share': `${100 * row.reached_n / most}%` } }, element('span', {}, count(row.reached_n)))
  const left = (row) => element('td', {}, share(row.drop_off_ratio), interval(row, share) ?? '')
  show('funnel', element('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-labelledby': 'funnel-title' }, table([
    ['step', (row) => row.step], ['reached', reached], ['dropped', (row) => count(row.dropped_n)], ['share', left], ['open', (row) => count(row.open_n)],
  ], rows)))
}

const funnelChart = (rows) => chart(document.getElementById('funnel_chart'), {
  rows,
  lines: [{ key: 'value', label: word('notBoughtChart'), stroke: '--accent' }],
  format: share,
  range: [0, 1],
  summary: rows.length ? `${word('notBoughtChart')}: ${share(rows[0].value)} → ${share(rows.at(-1).value)}` : '',
})

const ORDER = ['first_response_customer', 'first_response_team', 'reply', 'resolution']
const response = (rows) => {
  if (!rows.length) return show('response', none('noChats'))
  const sorted = rows.toSorted((one, other) => ORDER.indexOf(one.metric) - ORDER.indexOf(other.metric))
  const p95 = (row) => element('td', { class: row.slo_s && row.p95_s > row.slo_s ? 'bad' : undefined }, duration(row.p95_s))
  show('response', element('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-labelledby': 'response-title' }, table([
    ['metric', (row) => word(row.metric)], ['n', (row) => count(row.n)], ['median', (row) => duration(row.p50_s)], ['p95', p95],
    ['slo', (row) => duration(row.slo_s)], ['breached', (row) => count(row.breached_n)], ['waiting', (row) => count(row.waiting_n)],
  ], sorted)))
}

const responseChart = (rows) => chart(document.getElementById('response_chart'), {
  rows,
  lines: [
    { key: 'p95_s', label: word('p95'), stroke: '--bad' },
    { key: 'p50_s', label: word('median'), stroke: '--accent' },
    { key: 'slo_s', label: word('slo'), stroke: '--quiet', dash: [6, 4] },
  ],
  format: duration,
  range: (_, __, most) => [0, Math.max(most ?? 0, 1) * 1.1],
  summary: rows.length ? `${word('p95')}: ${duration(rows[0].p95_s)} → ${duration(rows.at(-1).p95_s)}` : '',
})

const verbatims = (rows) => {
  if (!rows.length) return show('verbatims', none('noWords'))
  const kind = (row) => row.metric !== 'nps' || row.score === null ? undefined : row.score >= 9 ? 'good' : row.score >= 7 ? 'middle' : 'bad'
  const said = (row) => row.score === null ? '' : `${row.metric.toUpperCase()} ${row.score} ${word('of')} ${row.scale_max ?? 10}: `
  show('verbatims', element('ul', { class: 'words', tabindex: '0', 'aria-labelledby': 'verbatims-title' }, ...rows.map((row) => element('li', {},
    element('strong', { class: kind(row) }, said(row)), row.text, element('br'),
    element('small', {}, `${time(row.at)} · ${row.touchpoint} · ${row.channel}`)))))
}

const MATRIX = [['nps', score], ['csat', share], ['not_bought', share], ['first_response_p95', duration], ['errors', share]]
const matrix = (rows) => {
  if (!rows.length) return show('matrix', none('noData'))
  const touchpoints = [...new Set(rows.map((row) => row.touchpoint))]
  const found = (touchpoint, metric) => rows.find((row) => row.touchpoint === touchpoint && row.metric === metric)
  const cell = (metric, format) => ({ touchpoint }) => {
    const row = found(touchpoint, metric)
    if (!row) return element('td', {}, '–')
    const isBroken = row.slo_s !== null && row.value > row.slo_s
    return element('td', { class: isBroken ? 'bad' : undefined }, format(row.value), interval(row, format) ?? '', element('small', {}, `n ${count(row.n)}`))
  }
  show('matrix', table([
    ['touchpoint', ({ touchpoint }) => word(touchpoint)],
    ...MATRIX.map(([metric, format]) => [metric, cell(metric, format)]),
  ], touchpoints.map((touchpoint) => ({ touchpoint }))))
}

const freshness = (rows) => {
  if (!rows.length) return show('freshness', none('noData'))
  const bad = (value) => element('td', { class: value > 0 ? 'bad' : undefined }, count(value))
  show('freshness', table([
    ['family', (row) => row.family], ['accepted', (row) => count(row.accepted_n)], ['fresh', (row) => element('td', { class: row.freshness_s > 30 ? 'bad' : undefined }, duration(row.freshness_s))],
    ['lag', (row) => count(row.lag_n)], ['rejected', (row) => bad(row.rejected_n)], ['late', (row) => bad(row.late_n)], ['gaps', (row) => bad(row.gaps_n ?? 0)], ['duplicates', (row) => count(row.duplicate_n)],
  ], rows))
}

/** A silence this long is worth a word, in seconds. */
const SILENT = 900
/** In plain words: whether anything came, was lost, or is not judged. */
const trust = ([row]) => {
  const ago = (seconds) => duration(Math.max(Date.now() / 1000 - seconds, 0))
  const bad = [
    row.nothing_since && word('trustNothing', { since: time(row.nothing_since) }),
    !row.last_at && word('trustNever'),
    row.last_at && !row.nothing_since && Date.now() / 1000 - row.last_at > SILENT && word('trustSilent', { ago: ago(row.last_at) }),
    row.gaps_n > 0 && word('trustLost', { n: count(row.gaps_n) }),
    row.unjudged_n > 0 && word('trustUnjudged', { since: time(row.unjudged_since), n: count(row.unjudged_n) }),
  ].filter(Boolean)
  show('trust', ...(bad.length ? bad : [word('trustFine')]).map((text) => element('p', { class: bad.length ? 'trust' : 'trust fine' }, text)))
}

const rejections = (rows) => show('rejections', rows.length ? table([
  ['reason', (row) => row.code], ['family', (row) => row.family], ['n', (row) => count(row.n)], ['last', (row) => time(row.at)],
], rows) : none('noRejections'))

const events = (rows) => show('events', rows.length ? table([
  ['time', (row) => time(row.at)], ['type', (row) => row.type, 'left'], ['source', (row) => row.source, 'left'], ['touchpoint', (row) => row.touchpoint, 'left'],
  ['channel', (row) => row.channel, 'left'], ['traffic', (row) => row.traffic, 'left'],
], rows) : none('noEvents'))

const regression = (row) => {
  const format = FORMATS[row.rule] ?? score
  const line = (name, text) => text ? [element('dt', {}, word(name)), element('dd', {}, text)] : []
  const isLink = /^https?:/.test(row.runbook ?? '')
  return element('article', { class: `regression ${row.severity}` },
    element('h3', {}, element('a', { href: addressOf(row) }, `${word(`rule_${row.rule}`)}: ${placeOf(row)}`)),
    element('dl', {},
      ...line('found', foundIn(row)), ...line(comparedWith(row), format(row.baseline)), ...line('cases', count(row.n)),
      ...line('since', time(row.since)), ...line('contributor', row.contributor), ...line('owner', row.owner), ...line('suspects', row.suspects.join(', ')),
      ...line('runbook', isLink ? element('a', { href: row.runbook, rel: 'noreferrer' }, row.runbook) : row.runbook)))
}

const regressions = (rows) => {
  const open = rows.filter((row) => row.ended_as === '')
  const ended = rows.filter((row) => row.ended_as !== '')
  show('regressions', ...(open.length ? open.map(regression) : [none('noRegressions')]),
    ...(ended.length ? [element('h3', { class: 'ended' }, word('ended')), element('ul', { class: 'ended' }, ...ended.map((row) => element('li', {},
      element('a', { href: addressOf(row) }, `${word(`rule_${row.rule}`)}: ${placeOf(row)}`), ` · ${word(`ended_${row.ended_as}`)} ${time(row.ended_at)}`)))] : []))
}

const refused = (rows) => show('refused', rows.length ? table([
  ['time', (row) => time(row.at)], ['type', (row) => row.type || row.family, 'left'], ['reason', (row) => row.code, 'left'], ['field', (row) => row.field || '–', 'left'],
  ['source', (row) => row.source, 'left'], ['likeIt', (row) => count(row.n)],
], rows) : none('noRejections'))

/** By the name of the server-sent event. */
export const PANELS = {
  nps, nps_chart: npsChart, funnel, funnel_chart: funnelChart, response, response_chart: responseChart, verbatims, matrix, freshness, trust, rejections, refused, events, regressions,
  changes: markChanges,
}
