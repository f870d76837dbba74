// What a shop's own code does with touchstream.js. Marks make every event recognisable: m-1, m-2, … in the order of the clicks.
let count = 0
const on = (id, work) => document.getElementById(id).addEventListener('click', work)
const mark = new URLSearchParams(location.search).get('mark') || 'm'

on('interact', () => touchstream('app.interaction', { name: mark + '-' + ++count }))
on('accept', () => touchstream('consent', ['analytics']))
on('decline', () => touchstream('consent', []))
on('start', () => touchstream('checkout', 'started', { value: '49.90', currency: 'EUR', items: 2 }))
on('shipping', () => touchstream('step', 'shipping', 'completed', { shipping_tier: 'express' }))
on('declined', () => touchstream('step', 'payment', 'failed', { error: 'card_declined' }))
on('pay', () => touchstream('step', 'payment', 'completed', { payment_type: 'card' }))
on('buy', () => touchstream('checkout', 'completed', { transaction_id: 't-' + mark, value: '49.90', currency: 'EUR' }))
on('push', () => history.pushState({}, '', './details'))
on('feedback', () => touchstream('ask', { survey: 'shop', open: true }))
