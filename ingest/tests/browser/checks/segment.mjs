// Segment's own browser library, sending to our paths instead of Segment's.

import { build } from 'esbuild'
import { Visitor, expect, run, until } from './harness.mjs'

export const segment = async () => {
  const bundle = await build({
    stdin: { contents: `export { AnalyticsBrowser } from '@segment/analytics-next'`, resolveDir: run.output },
    bundle: true, write: false, format: 'iife', globalName: 'segment', define: { 'process.env.NODE_ENV': '"production"' }, logLevel: 'error',
  })
  const visitor = await Visitor.come('segment', { head: '<script>window.touchstream = function () {}; touchstream.version = 1</script>' })
  await visitor.page.addScriptTag({ content: bundle.outputFiles[0].text })
  const statuses = []
  visitor.context.on('response', (response) => { if (response.url().includes('/v1/')) statuses.push(response.status()) })
  await visitor.page.evaluate(async ({ key, host }) => {
    const analytics = segment.AnalyticsBrowser.load(
      { writeKey: key, cdnSettings: { integrations: { 'Segment.io': { apiKey: key, apiHost: host, protocol: 'http' } } } }, { disableClientPersistence: true })
    await analytics.identify('c-81', { plan: 'gold' })
    await analytics.page('Shop', 'Tea')
    await analytics.track('Checkout Started', { order_id: 'o-1', value: 49.9, currency: 'EUR', products: [{}] })
    await analytics.track('Order Completed', { order_id: 'o-1', total: 49.9, currency: 'EUR' })
    await analytics.track('Song Played', { name: 'x' })
  }, { key: run.key, host: run.ingest.replace('http://', '') + '/v1' })
  await until('Segment’s requests', () => statuses.filter((status) => status < 300).length >= 5)
  expect('none', 'app.screen_viewed Tea', 'checkout.started', 'checkout.completed o-1', 'app.interaction Song Played')
  await visitor.leave()
}
