// Lines over time and bars side by side, by uPlot; lines with the band of an interval and marks for releases. A chart is drawn anew when its rows, the width, the colours or the
// language change.

import { dateOrTime, word } from './words.js'

const drawn = new Map()
let changes = []

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

/** Width of an axis whose values are these words. */
const roomOf = (_, values) => 24 + 6.6 * Math.max(4, ...(values ?? []).map((value) => String(value).length))

/** Changes of the site, as [{at, name}]. */
export const markChanges = (rows) => {
  changes = rows
  for (const draw of drawn.values()) draw()
}

const marks = (since) => ({
  hooks: {
    draw: [(plot) => {
      const { ctx, bbox } = plot
      ctx.save()
      ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`
      for (const { at, name, isSince } of [...changes, ...since]) {
        ctx.setLineDash(isSince ? [] : [4, 4])
        ctx.strokeStyle = ctx.fillStyle = colour(isSince ? '--bad' : '--quiet')
        const x = plot.valToPos(at, 'x', true)
        if (x < bbox.left || x > bbox.left + bbox.width) continue
        ctx.beginPath()
        ctx.moveTo(x, bbox.top)
        ctx.lineTo(x, bbox.top + bbox.height)
        ctx.stroke()
        // A name stands where there is room for it.
        const isRight = x > bbox.left + .8 * bbox.width
        ctx.textAlign = isRight ? 'right' : 'left'
        ctx.fillText(name ?? '', x + (isRight ? -4 : 4), bbox.top + (isSince ? 26 : 12) * devicePixelRatio)
      }
      ctx.restore()
    }],
  },
})

/**
 * Draws lines into `place`. `rows` are in the order of time with `at`; `lines` are {key, label, format, stroke, dash}; `band` names the keys of an
 * interval's ends; `since` is a moment to be marked. `summary` says in words what the chart shows, for who does not see it.
 */
export const chart = (place, { rows, lines, band, format, range, since, summary }) => {
  const draw = () => {
    place.replaceChildren()
    const width = place.clientWidth
    if (rows.length < 2 || !width) return
    const keys = [...lines.map((line) => line.key), ...(band ?? [])]
    const data = [rows.map((row) => row.at), ...keys.map((key) => rows.map((row) => row[key] ?? null))]
    const shown = lines.map(({ label, stroke, dash }) => ({ label, stroke: colour(stroke), width: 2, dash, points: { show: false }, spanGaps: true, value: (_, value) => format(value) }))
    const edges = (band ?? []).map((key, index) => ({ label: word(index ? 'high' : 'low'), stroke: 'transparent', points: { show: false }, spanGaps: true, value: (_, value) => format(value) }))
    const axis = { stroke: colour('--quiet'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line') }, font: '12px system-ui, sans-serif' }
    const plot = new uPlot({
      width,
      height: 180,
      scales: { x: { time: true }, y: { range } },
      axes: [{ ...axis, space: 90, values: (_, times, __, ___, step) => times.map((time) => dateOrTime(time, step)) }, { ...axis, size: roomOf, values: (_, values) => values.map(format) }],
      series: [{ label: word('time'), value: (_, time) => dateOrTime(time, 0) }, ...shown, ...edges],
      bands: band ? [{ series: [lines.length + 2, lines.length + 1], fill: colour('--band') }] : [],
      plugins: [marks(since ? [{ at: since, name: word('since'), isSince: true }] : [])],
      cursor: { drag: { x: false, y: false } },
    }, data, place)
    plot.root.setAttribute('role', 'img')
    plot.root.setAttribute('aria-label', summary)
  }
  drawn.set(place, draw)
  draw()
}

/**
 * Draws pairs of bars into `place`: at each of `labels` one of `before`, as an outline, and one of `since`, filled, so that they can be told apart without
 * colours.
 */
export const bars = (place, { labels, before, since, format, summary }) => {
  const draw = () => {
    place.replaceChildren()
    const width = place.clientWidth
    if (!labels.length || !width) return
    const axis = { stroke: colour('--quiet'), ticks: { stroke: colour('--line') }, font: '12px system-ui, sans-serif' }
    const room = (width - 64) / labels.length
    const longest = Math.max(...labels.map((label) => label.length))
    const isTight = longest * 6.5 > room
    const side = (label, stroke, fill, align) => ({ label: word(label), stroke: colour(stroke), fill: fill && colour(fill), width: 1.5, points: { show: false }, paths: uPlot.paths.bars({ size: [.38, 44], align }), value: (_, value) => format(value) })
    const plot = new uPlot({
      width,
      height: isTight ? 210 + Math.min(longest, 14) * 3 : 200,
      scales: { x: { time: false, range: [-.6, labels.length - .4] }, y: { range: (_, __, most) => [0, (most ?? 0) * 1.1 || 1] } },
      axes: [
        { ...axis, grid: { show: false }, splits: labels.map((_, index) => index), values: () => labels, rotate: isTight ? -50 : 0, size: isTight ? 30 + Math.min(longest, 14) * 4.5 : 36 },
        { ...axis, grid: { stroke: colour('--line'), width: 1 }, size: roomOf, values: (_, values) => values.map(format) },
      ],
      series: [{ label: word('part'), value: (_, index) => labels[index] ?? '–' }, side('beforeIt', '--quiet', undefined, -1), side('sinceThen', '--accent', '--accent', 1)],
      cursor: { drag: { x: false, y: false }, points: { show: false } },
    }, [labels.map((_, index) => index), before, since], place)
    plot.root.setAttribute('role', 'img')
    plot.root.setAttribute('aria-label', summary)
  }
  drawn.set(place, draw)
  draw()
}

/** Draws everything anew: what was hidden had no width. */
export const redraw = () => drawn.forEach((draw) => draw())

let resizing
addEventListener('resize', () => {
  clearTimeout(resizing)
  resizing = setTimeout(redraw, 150)
})
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw)
