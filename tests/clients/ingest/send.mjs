// Sends what the test expects with the two libraries as their documentation shows; prints one JSON line of what they were told.
// Usage: node send.mjs URL KEY
import http from "node:http";
import { Analytics } from "@segment/analytics-node";
import { CloudEvent, HTTP, Mode, emitterFor } from "cloudevents";

const [url, key] = process.argv.slice(2);

// One batch is taken, but its sender hears 503: a lost answer. The library must send it again, and nothing may count twice.
let eventsOfLostAnswer = 0;
const proxy = http.createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const headers = { ...request.headers, host: new URL(url).host };
  const passed = http.request(url + request.url, { method: request.method, headers }, (answer) => {
    const { batch } = JSON.parse(body);
    if (eventsOfLostAnswer === 0 && batch.some((call) => call.event === "Checkout Started")) {
      eventsOfLostAnswer = batch.length;
      answer.resume();
      answer.on("end", () => response.writeHead(503, { "retry-after": "1" }).end());
      return;
    }
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  passed.end(body);
});
await new Promise((listening) => proxy.listen(0, "127.0.0.1", listening));

const failures = [];
const sent = [];
const analytics = new Analytics({ writeKey: key, host: `http://127.0.0.1:${proxy.address().port}`, flushAt: 4, flushInterval: 100 });
analytics.on("error", (error) => failures.push(String(error.reason ?? error.code)));
const who = { userId: "c-81", anonymousId: "a-1", context: { sessionId: 1700000000, channel: "browser", locale: "de-DE", campaign: { name: "nl-11" } } };
const done = (call, index) =>
  new Promise((told) => call((error, context) => {
    sent[index] = context.event.messageId;
    told(error);
  }));
const calls = [
  (cb) => analytics.track({ ...who, event: "Checkout Started", properties: { checkout_id: "k-1", value: 0.1 + 0.2, currency: "EUR", products: [{}, {}] } }, cb),
  (cb) => analytics.track({ ...who, event: "Checkout Step Viewed", properties: { checkout_id: "k-1", step: 2 } }, cb),
  (cb) => analytics.track({ ...who, event: "Payment Info Entered", properties: { checkout_id: "k-1", payment_method: "card" } }, cb),
  (cb) => analytics.track({ ...who, event: "Order Completed", properties: { checkout_id: "k-1", order_id: 50314, total: 19.9, currency: "EUR" } }, cb),
  (cb) => analytics.track({ ...who, event: "feedback.answered", properties: { survey_id: "nps", metric: "nps", score: 9 } }, cb),
  (cb) => analytics.track({ ...who, event: "Store Visited", properties: { city: "Köln" } }, cb),
  (cb) => analytics.page({ ...who, name: "Cart", properties: { url: "https://shop.example/cart?token=1", path: "/cart" } }, cb),
  (cb) => analytics.screen({ ...who, name: "Main" }, cb),
  (cb) => analytics.identify({ ...who, traits: { email: "anna@shop.example" } }, cb),
  (cb) => analytics.group({ ...who, groupId: "g-1", traits: { name: "ACME" } }, cb),
  (cb) => analytics.alias({ userId: "c-81", previousId: "a-1" }, cb),
];
const told = calls.map(done);
await analytics.closeAndFlush({ timeout: 60_000 });
failures.push(...(await Promise.all(told)).filter(Boolean).map(String));
proxy.close();

// CloudEvents, binary and structured by the library's own emitter, and a batch.
const transport = async ({ headers, body }) => {
  const answer = await fetch(`${url}/v1/events`, { method: "POST", headers: { ...headers, authorization: `Bearer ${key}` }, body });
  const text = await answer.text();
  if (answer.status !== 202 || JSON.parse(text).accepted < 1) failures.push(`${answer.status} ${text}`);
};
const event = (id, type, data) =>
  new CloudEvent({ id, type, source: "/shop", time: new Date().toISOString(), subject: "k-2", data });
const modes = { binary: Mode.BINARY, structured: Mode.STRUCTURED };
for (const [name, mode] of Object.entries(modes)) {
  const emit = emitterFor(transport, { binding: HTTP, mode });
  await emit(event(`ce-${name}-bare`, "chat.started", { conversation_id: `v-${name}`, topic: "Lieferung €" }));
  await emit(event(`ce-${name}`, "checkout.step", { context: { session_id: "s-1", channel: "web" }, data: { checkout_id: "k-2", step: "payment" } }));
}
const batch = [1, 2, 3].map((number) => event(`ce-batch-${number}`, "feedback.answered", { survey_id: "nps", metric: "nps", score: number }));
await transport({ headers: { "content-type": "application/cloudevents-batch+json" }, body: JSON.stringify(batch) });

console.log(JSON.stringify({ sent, failures, eventsOfLostAnswer }));
