// What the dashboards are made of: variables as SQL, panels with their defaults, and the layout. `../generate.mjs` puts it together.
//
// A panel's function takes what differs from panel to panel and gives Grafana's JSON without id and position; `dashboard` adds these.
// SQL names no database: the data source's default database (cx) counts.

export const CLICKHOUSE = { type: 'grafana-clickhouse-datasource', uid: 'touchstream-clickhouse' }
export const PROMETHEUS = { type: 'prometheus', uid: 'touchstream-prometheus' }

// ---- Variables, quoted and escaped by Grafana ----
export const tenant = '${tenant:singlequote}'
export const touchpoint = '${touchpoint:singlequote}'
export const channel = '${channel:singlequote}'
export const device = '${device:singlequote}'
/** Size of the rolling windows of rates and times. */
export const window = '${window:singlequote}'
/** Size of the rolling windows of scores: fewer answers need longer windows. */
export const scoreWindow = '${score_window:singlequote}'

const DIMENSIONS = { touchpoint, channel, device }

/** Conditions for window objects, which have a row `all`: exactly one series, but for the dimensions that `by` names, which are spread out. */
export function series(by = []) {
  const conditions = Object.entries(DIMENSIONS).map(([name, chosen]) => (by.includes(name) ? `${name} != 'all'` : `${name} = ${chosen}`))
  return [`tenant = ${tenant}`, ...conditions].join(' AND ')
}

/** Conditions for facts, hours and days, which have no row `all`. */
export function facts(names = ['touchpoint', 'channel', 'device']) {
  return [`tenant = ${tenant}`, ...names.map((name) => `${DIMENSIONS[name]} IN ('all', ${name})`)].join(' AND ')
}

/** Newest windows that end within two days before the end of the time range; one row per `by`. */
export function newest(view, columns, size, { by = [], more = '' } = {}) {
  const spread = by.filter((name) => name in DIMENSIONS)
  return `SELECT ${columns}
FROM ${view}
WHERE ${series(spread)} AND window = ${size}
    AND window_end <= $__toTime AND window_end > $__toTime - INTERVAL 2 DAY${more && ` AND ${more}`}
ORDER BY window_end DESC
LIMIT 1${by.length ? ` BY ${by.join(', ')}` : ''}`
}

/** A line over rolling windows, at most one window an interval of the panel. */
export function trend(view, columns, size, { by = [], more = '' } = {}) {
  const spread = by.filter((name) => name in DIMENSIONS)
  return `SELECT window_end AS time, ${columns}
FROM ${view}
WHERE ${series(spread)} AND window = ${size} AND $__timeFilter(window_end)${more && ` AND ${more}`}
ORDER BY window_end
LIMIT 1 BY ${['$__timeInterval(window_end)', ...by].join(', ')}`
}

/** 95 % Wilson interval of hits / n, as SQL. */
export const wilson = (hits, n) => {
  const half = `1.96 * sqrt((${hits}) * (1 - (${hits}) / (${n})) + 0.9604)`
  return {
    low: `greatest(0, ((${hits}) + 1.9208 - ${half}) / ((${n}) + 3.8416))`,
    high: `least(1, ((${hits}) + 1.9208 + ${half}) / ((${n}) + 3.8416))`,
  }
}

/** NPS and its 95 % interval (adjusted Wald) from counts, as SQL columns. */
export const npsOf = (promoters, detractors, n) => {
  const p = `((${promoters}) + 0.75) / ((${n}) + 3)`
  const d = `((${detractors}) + 0.75) / ((${n}) + 3)`
  const half = `1.96 * sqrt((${p} + ${d} - pow(${p} - ${d}, 2)) / ((${n}) + 3))`
  return `100 * ((${promoters}) - (${detractors})) / nullIf(${n}, 0) AS nps, greatest(-100, 100 * (${p} - ${d} - ${half})) AS ci_low, ` +
    `least(100, 100 * (${p} - ${d} + ${half})) AS ci_high, ${n} AS n`
}

// ---- Thresholds: [colour, from]; change them here for all dashboards ----
export const NPS_LEVELS = [['red', null], ['yellow', 0], ['green', 30]]
export const DROP_OFF_LEVELS = [['green', null], ['yellow', 0.15], ['red', 0.3]]
export const BREACH_LEVELS = [['green', null], ['yellow', 0.1], ['red', 0.2]]
export const ERROR_LEVELS = [['green', null], ['yellow', 0.01], ['red', 0.03]]
export const SHARE_LEVELS = [['red', null], ['yellow', 0.5], ['green', 0.75]]
export const FRESHNESS_LEVELS = [['green', null], ['yellow', 5], ['red', 60]]
export const ANY_IS_BAD = [['green', null], ['red', 1]]
export const NEUTRAL = [['text', null]]

const thresholds = (levels) => ({ mode: 'absolute', steps: levels.map(([color, value]) => ({ color, value })) })

/** Units and looks of a field by its name; the first that fits counts. */
const FIELDS = [
  [/^(nps|nps_.*|gap|benchmark)$/, { unit: 'none', decimals: 0, min: undefined }],
  [/(_ratio|_share)$/, { unit: 'percentunit', decimals: 1 }],
  [/_s$/, { unit: 's' }],
  [/(^n|_n|^answers)$/, { unit: 'short', decimals: 0 }],
]

function properties(settings) {
  return Object.entries(settings).filter(([, value]) => value !== undefined).map(([id, value]) => ({ id, value }))
}

/** Overrides for the named fields: the unit that follows from the name, and what `special` says. */
function overrides(names, special = {}) {
  const all = new Set([...names, ...Object.keys(special)])
  return [...all].flatMap((name) => {
    const usual = FIELDS.find(([pattern]) => pattern.test(name))?.[1] ?? {}
    const found = properties({ ...usual, ...special[name] })
    return found.length ? [{ matcher: { id: 'byName', options: name }, properties: found }] : []
  })
}

function clickhouse(sql, format) {
  return {
    refId: 'A', datasource: CLICKHOUSE, editorType: 'sql', rawSql: sql.trim(),
    queryType: format, format: format === 'timeseries' ? 0 : 1,
  }
}

function prometheus(queries, instant) {
  return queries.map(([expr, legendFormat], place) => ({
    refId: String.fromCharCode(65 + place), datasource: PROMETHEUS, editorMode: 'code', expr, legendFormat,
    ...(instant ? { instant: true, range: false, format: 'table' } : { instant: false, range: true }),
  }))
}

function panel(type, { title, description, size, answers = [], sql, queries, format, instant, defaults, fields, options, links, transformations }) {
  const note = answers.length ? `${description}\n\nAnswers ${answers.map((number) => `question ${number}`).join(', ')} of docs/dashboards.md.` : description
  return {
    type, title, description: note,
    datasource: sql ? CLICKHOUSE : PROMETHEUS,
    targets: sql ? [clickhouse(sql, format)] : prometheus(queries, instant),
    fieldConfig: { defaults, overrides: fields },
    options, ...(links && { links }), ...(transformations && { transformations }),
    size, answers,
  }
}

const legend = { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [] }

/** Lines over time. `series` names the label whose value names a line, `bars` a field that is shown as bars on the right axis (mostly n). */
export function lines({ unit, levels, min, max, label, right, band, stack, points, special = {}, ...rest }) {
  const custom = {
    drawStyle: stack ? 'bars' : 'line', lineWidth: stack ? 0 : 2, fillOpacity: stack ? 70 : 0, showPoints: points ? 'always' : 'auto', spanNulls: false,
    stacking: { mode: stack ?? 'none', group: 'A' },
    thresholdsStyle: { mode: levels ? 'dashed' : 'off' },
  }
  const looks = { ...special }
  if (band) {
    looks[band[0]] = { 'custom.lineWidth': 0, 'custom.fillOpacity': 0, 'custom.hideFrom': { legend: true, tooltip: false, viz: false }, ...looks[band[0]] }
    looks[band[1]] = { 'custom.lineWidth': 0, 'custom.fillBelowTo': band[0], 'custom.fillOpacity': 15, 'custom.hideFrom': { legend: true, tooltip: false, viz: false }, ...looks[band[1]] }
  }
  if (right) {
    looks[right] = {
      'custom.drawStyle': 'bars', 'custom.axisPlacement': 'right', 'custom.fillOpacity': 15, 'custom.lineWidth': 0, 'custom.thresholdsStyle': { mode: 'off' },
      unit: 'short', decimals: 0, min: 0, color: { mode: 'fixed', fixedColor: 'text' }, ...looks[right],
    }
  }
  return panel('timeseries', {
    format: 'timeseries',
    ...rest,
    defaults: {
      unit, custom, color: { mode: 'palette-classic' }, ...(min !== undefined && { min }), ...(max !== undefined && { max }),
      ...(label && { displayName: `\${__field.labels.${label}}` }), ...(levels && { thresholds: thresholds(levels) }),
    },
    fields: overrides([], looks),
    options: { legend, tooltip: { mode: 'multi', sort: 'none' } },
  })
}

/** One or a few big numbers. Every column of the one row is shown. */
export function numbers({ unit, decimals, levels = NEUTRAL, names = [], special = {}, ...rest }) {
  return panel('stat', {
    format: 'table', instant: true,
    ...rest,
    defaults: { ...(unit && { unit }), ...(decimals !== undefined && { decimals }), color: { mode: 'thresholds' }, thresholds: thresholds(levels), noValue: 'no data' },
    fields: overrides(names, special),
    options: {
      reduceOptions: { values: false, calcs: ['lastNotNull'], fields: '/.*/' },
      orientation: 'auto', textMode: 'value_and_name', colorMode: 'value', graphMode: 'none', justifyMode: 'auto', wideLayout: true, showPercentChange: false,
    },
  })
}

/** Rows. `names` are the columns whose unit follows from their name. */
export function rows({ names = [], special = {}, ...rest }) {
  return panel('table', {
    format: 'table', instant: true,
    ...rest,
    defaults: { custom: { align: 'auto', filterable: true, inspect: false }, color: { mode: 'thresholds' }, thresholds: thresholds(NEUTRAL), noValue: '–' },
    fields: overrides(names, special),
    options: { showHeader: true, cellHeight: 'sm' },
  })
}

/** Bars over names. */
export function bars({ unit, x, names = [], special = {}, ...rest }) {
  return panel('barchart', {
    format: 'table',
    ...rest,
    defaults: { unit, min: 0, color: { mode: 'palette-classic' }, custom: { fillOpacity: 70, lineWidth: 0 } },
    fields: overrides(names, special),
    options: {
      xField: x, orientation: 'horizontal', barWidth: 0.9, groupWidth: 0.8, fullHighlight: false, showValue: 'auto', stacking: 'none', barRadius: 0,
      xTickLabelRotation: 0, xTickLabelSpacing: 0, legend, tooltip: { mode: 'multi', sort: 'none' },
    },
  })
}

/** Looks of a coloured table cell. */
export const coloured = (levels) => ({ 'custom.cellOptions': { type: 'color-text' }, thresholds: thresholds(levels) })
/** A cell with a bar from 0 to 1. */
export const gauge = { 'custom.cellOptions': { type: 'gauge', mode: 'basic', valueDisplayMode: 'text' }, min: 0, max: 1 }
/** A cell whose background is the darker, the larger the number. */
export const heat = { 'custom.cellOptions': { type: 'color-background', mode: 'basic' }, color: { mode: 'continuous-BlPu' }, unit: 'short', decimals: 0 }
/** The three fields of a score. */
export const score = { nps: coloured(NPS_LEVELS), ci_low: { unit: 'none', decimals: 0 }, ci_high: { unit: 'none', decimals: 0 } }
/** The interval of a share. */
export const shareInterval = { ci_low: { unit: 'percentunit', decimals: 1 }, ci_high: { unit: 'percentunit', decimals: 1 } }

const CARRIED = ['tenant', 'touchpoint', 'channel', 'device']

/** A link of a cell to another dashboard: time range and variables go along; `fields` maps variables to columns of the row. */
export function link(uid, title, fields = {}) {
  const variables = CARRIED.map((name) => (name in fields ? `var-${name}=\${__data.fields.${fields[name]}}` : `var-${name}=\${${name}}`))
  return { links: [{ title, url: `/d/${uid}?\${__url_time_range}&${variables.join('&')}` }] }
}

// ---- Dashboards ----
const WINDOWS = ['nps', 'checkout_duration', 'response_times', 'app_response']

function fromWindows(name, condition) {
  const parts = WINDOWS.map((view) => `SELECT ${name} FROM ${view} WHERE ${condition} AND window = '24h' AND $__timeFilter(window_end)`)
  return `SELECT DISTINCT ${name} FROM (${parts.join(' UNION ALL ')}) ORDER BY ${name} != 'all', ${name}`
}

const query = (name, label, sql, current) => ({
  type: 'query', name, label, datasource: CLICKHOUSE, query: { editorType: 'sql', rawSql: sql, refId: name }, refresh: 2, regex: '', sort: 0,
  multi: false, includeAll: false, hide: 0, skipUrlSync: false, options: [], current: { selected: true, text: current, value: current },
})

export const choice = (name, label, values, current) => ({
  type: 'custom', name, label, query: values.join(','), multi: false, includeAll: false, hide: 0, skipUrlSync: false,
  options: values.map((value) => ({ selected: value === current, text: value, value })), current: { selected: true, text: current, value: current },
})

export const textbox = (name, label, description) => ({
  type: 'textbox', name, label, description, query: '', hide: 0, skipUrlSync: false, options: [{ selected: true, text: '', value: '' }], current: { selected: true, text: '', value: '' },
})

const VARIABLES = [
  query('tenant', 'Tenant', fromWindows('tenant', "touchpoint = 'all' AND channel = 'all' AND device = 'all'"), 'demo'),
  query('touchpoint', 'Touchpoint', fromWindows('touchpoint', `tenant = ${tenant} AND channel = 'all' AND device = 'all'`), 'all'),
  query('channel', 'Channel', fromWindows('channel', `tenant = ${tenant} AND touchpoint = ${touchpoint} AND device = 'all'`), 'all'),
  query('device', 'Device', fromWindows('device', `tenant = ${tenant} AND touchpoint = ${touchpoint} AND channel = 'all'`), 'all'),
  choice('window', 'Window of rates', ['1h', '24h', '7d'], '24h'),
  choice('score_window', 'Window of scores', ['24h', '7d', '28d', '90d'], '7d'),
]

const annotation = (name, iconColor, sql) => ({
  name, iconColor, enable: true, hide: false, datasource: CLICKHOUSE,
  target: { refId: 'annotation', editorType: 'sql', rawSql: sql, queryType: 'table', format: 1 },
})

const ANNOTATIONS = [
  annotation('Changes', 'blue', `SELECT time, ifNull(name, '') AS text, 'app.change' AS tags
FROM events_app
WHERE tenant = ${tenant} AND type = 'app.change' AND $__timeFilter(time)
ORDER BY time LIMIT 200`),
  annotation('Regressions', 'red', `SELECT at AS time, concat(rule, ' ', state, ': ', touchpoint, ' ', detail, ', ', toString(round(value, 3)), ' instead of ', toString(round(baseline, 3)), ', n = ', toString(n), ', ', owner) AS text, rule AS tags
FROM regressions
WHERE ${facts(['touchpoint', 'channel'])} AND state IN ('firing', 'resolved') AND $__timeFilter(at)
ORDER BY at LIMIT 200`),
]

/** Puts the panels side by side, 24 columns wide, in the order given; a text begins a row. */
function lay(panels) {
  const laid = []
  let x = 0, y = 0, height = 0, id = 1
  for (const entry of panels) {
    const [w, h] = typeof entry === 'string' ? [24, 1] : entry.size
    if (x + w > 24) [x, y, height] = [0, y + height, 0]
    const gridPos = { x, y, w, h }
    if (typeof entry === 'string') {
      laid.push({ id, type: 'row', title: entry, collapsed: false, panels: [], gridPos })
    } else {
      const { size, answers, ...rest } = entry
      laid.push({ id, ...rest, gridPos })
    }
    ;[x, height, id] = [x + w, Math.max(height, h), id + 1]
  }
  return laid
}

/** The whole JSON of a dashboard. */
export function dashboard({ uid, title, description, from = 'now-7d', refresh = '1m', panels, variables = [] }) {
  return {
    uid, title, description, tags: ['touchstream'], schemaVersion: 39, version: 1, editable: false, graphTooltip: 1, refresh, timezone: 'browser',
    time: { from, to: 'now' }, timepicker: {},
    links: [{ type: 'dashboards', title: 'touchstream', tags: ['touchstream'], asDropdown: false, includeVars: true, keepTime: true, targetBlank: false, icon: 'external link', tooltip: '', url: '' }],
    annotations: { list: ANNOTATIONS },
    templating: { list: [...VARIABLES, ...variables] },
    panels: lay(panels),
  }
}

/** Which panels answer which question: number → titles. */
export function answersOf({ panels }) {
  return panels.filter((entry) => entry.answers).flatMap((entry) => entry.answers.map((number) => [number, entry.title]))
}
