// Lines over time by uPlot, with the band of an interval and marks for releases. A chart is drawn anew when its rows, the width, the colours or the
// language change.

import { dateOrTime, word } from './words.js'

const drawn = new Map()
let changes = []

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

/** Changes of the site, as [{at, name}]. */
export const markChanges = (rows) => {
  changes = rows
  for (const draw of drawn.values()) draw()
}

const marks = () => ({
  hooks: {
    draw: [(plot) => {
      const { ctx, bbox } = plot
      ctx.save()
      ctx.strokeStyle = ctx.fillStyle = colour('--quiet')
      ctx.setLineDash([4, 4])
      ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`
      for (const { at, name } of changes) {
        const x = plot.valToPos(at, 'x', true)
        if (x < bbox.left || x > bbox.left + bbox.width) continue
        ctx.beginPath()
        ctx.moveTo(x, bbox.top)
        ctx.lineTo(x, bbox.top + bbox.height)
        ctx.stroke()
        ctx.fillText(name ?? '', x + 4, bbox.top + 12 * devicePixelRatio)
      }
      ctx.restore()
    }],
  },
})

/**
 * Draws lines into `place`. `rows` are in the order of time with `at`; `lines` are {key, label, format, stroke, dash}; `band` names the keys of an
 * interval's ends. `summary` says in words what the chart shows, for who does not see it.
 */
export const chart = (place, { rows, lines, band, format, range, summary }) => {
  const draw = () => {
    place.replaceChildren()
    if (rows.length < 2) return
    const width = place.clientWidth
    const keys = [...lines.map((line) => line.key), ...(band ?? [])]
    const data = [rows.map((row) => row.at), ...keys.map((key) => rows.map((row) => row[key] ?? null))]
    const shown = lines.map(({ label, stroke, dash }) => ({ label, stroke: colour(stroke), width: 2, dash, points: { show: false }, spanGaps: true, value: (_, value) => format(value) }))
    const edges = (band ?? []).map((key, index) => ({ label: word(index ? 'high' : 'low'), stroke: 'transparent', points: { show: false }, spanGaps: true, value: (_, value) => format(value) }))
    const axis = { stroke: colour('--quiet'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line') }, font: '12px system-ui, sans-serif' }
    const plot = new uPlot({
      width,
      height: 180,
      scales: { x: { time: true }, y: { range } },
      axes: [{ ...axis, space: 90, values: (_, times, __, ___, step) => times.map((time) => dateOrTime(time, step)) }, { ...axis, size: 64, values: (_, values) => values.map(format) }],
      series: [{ label: word('time'), value: (_, time) => dateOrTime(time, 0) }, ...shown, ...edges],
      bands: band ? [{ series: [lines.length + 2, lines.length + 1], fill: colour('--band') }] : [],
      plugins: [marks()],
      cursor: { drag: { x: false, y: false } },
    }, data, place)
    plot.root.setAttribute('role', 'img')
    plot.root.setAttribute('aria-label', summary)
  }
  drawn.set(place, draw)
  draw()
}

let resizing
addEventListener('resize', () => {
  clearTimeout(resizing)
  resizing = setTimeout(() => drawn.forEach((draw) => draw()), 150)
})
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => drawn.forEach((draw) => draw()))
