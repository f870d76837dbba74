// Every word of the page, in both languages; numbers, shares, durations and times as people there write them.

const WORDS = {
  en: {
    skip: 'Skip to the numbers', tenant: 'Tenant', touchpoint: 'Touchpoint', channel: 'Channel', device: 'Device', period: 'Period',
    language: 'Language', day: 'Last 24 hours', week: 'Last 7 days', all: 'all',
    regressions: 'Open regressions', noRegressions: 'None is open. Touchpoints that have an owner in the touchpoints file are watched.',
    nps: 'Net promoter score', verbatims: 'What customers write', funnel: 'Checkout', response: 'Answering customers',
    matrix: 'Touchpoints', matrixHint: 'Each value with its number of cases; an interval of 95 % where there is one.',
    freshness: 'Can the numbers be trusted?', freshnessHint: 'Events of the last 15 minutes.',
    rejections: 'Refused within the last hour', noRejections: 'Nothing was refused.',
    events: 'Live events', eventsHint: 'The last events that were accepted, within seconds. A refused event is named in the answer to its request; test one with ?dry_run=1.',
    promoters: 'Promoters', passives: 'Passives', detractors: 'Detractors', answers: 'answers', interval: '95 % interval',
    step: 'Step', reached: 'Reached', dropped: 'Left here', share: 'Share', open: 'Here now',
    metric: 'Measure', n: 'Cases', median: 'Median', p95: '95th percentile', slo: 'Promise', breached: 'Broken', waiting: 'Waiting now',
    first_response_customer: 'First answer, customer’s clock', first_response_team: 'First answer, team’s clock', reply: 'Reply', resolution: 'Solved',
    csat: 'Satisfied (1–5)', not_bought: 'Not bought', first_response_p95: 'First answer, 95th percentile', errors: 'Failed responses',
    family: 'Family', accepted: 'Accepted', rejected: 'Refused', late: 'Too late', duplicates: 'Copies', gaps: 'Lost on the way', fresh: 'Visible after', lag: 'Waiting to be stored', reason: 'Reason', last: 'Last',
    time: 'Time', type: 'Event', source: 'Source', traffic: 'Traffic',
    noAnswers: 'No answers in this period.', noCheckouts: 'No finished checkouts in this period.', noChats: 'No conversations in this period.',
    noWords: 'Nobody wrote anything within 7 days.', noEvents: 'No event within the last hour. Send one: see “Send an answer to a survey” in the terminal of touchstream up.', noData: 'Nothing yet.',
    live: 'live', connecting: 'connecting …', trouble: 'Some numbers are old: the database does not answer.', cut: 'No connection; the numbers are old. Trying again …',
    noTenant: 'No tenant has sent anything yet.', notBoughtChart: 'Share not bought', npsChart: 'Score', low: 'lower end', high: 'upper end', of: 'of',
    rule_nps_fell: 'NPS fell', rule_drop_off_rose: 'Drop-off rose', rule_response_p95_rose: 'Answers became slow', rule_response_slo_burn: 'Promised response time is being broken',
    rule_touchpoint_silent: 'Touchpoint is silent', rule_error_rate_rose: 'More responses fail', rule_nothing_arrives: 'Nothing arrives any more',
    now: 'Now', before: 'Before', since: 'Since', owner: 'Owner', runbook: 'What to do', suspects: 'Changed shortly before', contributor: 'Mostly', cases: 'Cases',
  },
  de: {
    skip: 'Zu den Zahlen', tenant: 'Mandant', touchpoint: 'Kontaktpunkt', channel: 'Kanal', device: 'Gerät', period: 'Zeitraum',
    language: 'Sprache', day: 'Letzte 24 Stunden', week: 'Letzte 7 Tage', all: 'alle',
    regressions: 'Offene Verschlechterungen', noRegressions: 'Keine ist offen. Beobachtet werden Kontaktpunkte, für die in der Datei der Kontaktpunkte jemand zuständig ist.',
    nps: 'Net Promoter Score', verbatims: 'Was Kunden schreiben', funnel: 'Kasse', response: 'Antworten an Kunden',
    matrix: 'Kontaktpunkte', matrixHint: 'Jeder Wert mit der Zahl seiner Fälle, dazu das 95-%-Intervall, wo es eines gibt.',
    freshness: 'Kann man den Zahlen trauen?', freshnessHint: 'Ereignisse der letzten 15 Minuten.',
    rejections: 'In der letzten Stunde abgelehnt', noRejections: 'Nichts wurde abgelehnt.',
    events: 'Ereignisse live', eventsHint: 'Die zuletzt angenommenen Ereignisse, nach Sekunden. Ein abgelehntes nennt die Antwort auf seine Anfrage; zum Ausprobieren: ?dry_run=1.',
    promoters: 'Fürsprecher', passives: 'Unentschiedene', detractors: 'Kritiker', answers: 'Antworten', interval: '95-%-Intervall',
    step: 'Schritt', reached: 'Erreicht', dropped: 'Hier gegangen', share: 'Anteil', open: 'Gerade hier',
    metric: 'Messgröße', n: 'Fälle', median: 'Median', p95: '95. Perzentil', slo: 'Versprochen', breached: 'Gebrochen', waiting: 'Wartet jetzt',
    first_response_customer: 'Erste Antwort, Uhr des Kunden', first_response_team: 'Erste Antwort, Uhr des Teams', reply: 'Antwort', resolution: 'Gelöst',
    csat: 'Zufrieden (1–5)', not_bought: 'Nicht gekauft', first_response_p95: 'Erste Antwort, 95. Perzentil', errors: 'Fehlgeschlagene Antworten',
    family: 'Familie', accepted: 'Angenommen', rejected: 'Abgelehnt', late: 'Zu spät', duplicates: 'Kopien', gaps: 'Unterwegs verloren', fresh: 'Sichtbar nach', lag: 'Noch zu speichern', reason: 'Grund', last: 'Zuletzt',
    time: 'Zeit', type: 'Ereignis', source: 'Quelle', traffic: 'Herkunft',
    noAnswers: 'Keine Antworten in diesem Zeitraum.', noCheckouts: 'Keine beendeten Bestellungen in diesem Zeitraum.', noChats: 'Keine Gespräche in diesem Zeitraum.',
    noWords: 'Seit 7 Tagen hat niemand etwas geschrieben.', noEvents: 'Kein Ereignis in der letzten Stunde. Eines senden: siehe „Send an answer to a survey“ im Terminal von touchstream up.', noData: 'Noch nichts.',
    live: 'live', connecting: 'verbinde …', trouble: 'Manche Zahlen sind alt: Die Datenbank antwortet nicht.', cut: 'Keine Verbindung, die Zahlen sind alt. Neuer Versuch …',
    noTenant: 'Noch kein Mandant hat etwas gesendet.', notBoughtChart: 'Anteil nicht gekauft', npsChart: 'Wert', low: 'unteres Ende', high: 'oberes Ende', of: 'von',
    rule_nps_fell: 'NPS ist gefallen', rule_drop_off_rose: 'Mehr Abbrüche', rule_response_p95_rose: 'Antworten sind langsam geworden', rule_response_slo_burn: 'Die versprochene Antwortzeit wird gebrochen',
    rule_touchpoint_silent: 'Kontaktpunkt ist verstummt', rule_error_rate_rose: 'Mehr Antworten schlagen fehl', rule_nothing_arrives: 'Es kommt nichts mehr an',
    now: 'Jetzt', before: 'Vorher', since: 'Seit', owner: 'Zuständig', runbook: 'Was tun', suspects: 'Kurz vorher geändert', contributor: 'Vor allem', cases: 'Fälle',
  },
}

export let language = 'en'

/** Chooses a language: the given one, else the browser's, else English. */
export const speak = (wanted) => {
  language = WORDS[wanted] ? wanted : navigator.language.startsWith('de') ? 'de' : 'en'
  document.documentElement.lang = language
  for (const element of document.querySelectorAll('[data-word]')) element.textContent = word(element.dataset.word)
}

/** The word in the chosen language; a name that is no word of ours stays as it is. */
export const word = (name) => WORDS[language][name] ?? name

const NONE = '–'
const format = (options) => (value) => value === null || value === undefined ? NONE : new Intl.NumberFormat(language, options).format(value)

export const count = format({ maximumFractionDigits: 0 })
export const score = format({ maximumFractionDigits: 1, minimumFractionDigits: 1 })
export const share = format({ style: 'percent', maximumFractionDigits: 1, minimumFractionDigits: 1 })

/** Seconds in the unit in which people say them. */
export const duration = (seconds) => {
  if (seconds === null || seconds === undefined) return NONE
  const [size, unit] = [[86400, 'day'], [3600, 'hour'], [60, 'minute'], [1, 'second']].find(([size]) => seconds >= size) ?? [1, 'second']
  return new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: 1 }).format(seconds / size)
}

/** A place on an axis of time: a day where steps are days, else a time of day; all of it without steps. */
export const dateOrTime = (seconds, step) => {
  if (seconds === null || seconds === undefined) return NONE
  const date = new Date(seconds * 1000)
  if (!step) return date.toLocaleString(language, { dateStyle: 'short', timeStyle: 'short' })
  return step >= 86400 ? date.toLocaleDateString(language, { day: 'numeric', month: 'short' }) : date.toLocaleTimeString(language, { hour: '2-digit', minute: '2-digit' })
}

/** A time of day, with the date when it is not today's. */
export const time = (seconds) => {
  const date = new Date(seconds * 1000)
  const isToday = date.toDateString() === new Date().toDateString()
  return date.toLocaleString(language, isToday ? { timeStyle: 'medium' } : { dateStyle: 'short', timeStyle: 'short' })
}
