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
    events: 'Live events', eventsHint: 'The last events that were accepted, within seconds. Test one with ?dry_run=1.',
    refused: 'Refused events', refusedHint: 'The newest of each minute and reason, within the last hour. The answer to its request said all that is wrong with it; no value of it is kept.', field: 'First mistake', likeIt: 'Like it',
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
    found: 'When it was found', usual: 'Usual', allowed: 'Allowed', since: 'Since', owner: 'Owner', runbook: 'What to do', suspects: 'Changed shortly before', contributor: 'Mostly', cases: 'Cases',
    ended: 'Ended within 7 days', ended_resolved: 'over', ended_adopted: 'counts as usual by now', back: '← All numbers', course: 'Before and since, over time', beforeAndSince: 'Before and since',
    beforeIt: 'Before', sinceThen: 'Since then', asTable: 'The same as a table', byDevice: 'By device', byChannel: 'By channel', part: 'Part', casesBefore: 'Cases before', casesSince: 'Cases since',
    trustFine: 'Events arrive, and none was found missing within the last hour.', trustNever: 'Nothing has arrived for more than six hours.',
    trustSilent: 'Nothing has arrived for {ago}: the numbers rest on older events.', trustNothing: 'Nothing arrives any more since {since}, and that is not usual at this hour: ask ingest and its senders before you believe any number.',
    trustLost: '{n} events were lost on the way within the last hour: numbered events of sessions are missing.', trustUnjudged: 'Events were lost or could not be taken: rules say nothing since {since} (watches: {n}), so no regression is shown for that time.',
    state: 'State', isOpen: 'open', severity: 'Urgency', severity_page: 'somebody is woken', severity_ticket: 'a ticket', chance: 'Chance alone shows this', onCases: 'on', casesOf: 'cases', nobody: 'nobody',
    kind_same_hours_4_weeks: 'the same hours of the 4 weeks before', kind_previous_24_hours: 'the 24 hours before', kind_previous_28_days: 'the 28 days before', kind_service_level: 'what was promised',
    comparedHours: 'Before: the same hours of the week in the four weeks before.', comparedWeeks: 'Before: the four weeks before.', comparedDay: 'Before: the 24 hours before.', sinceSpan: 'Since then:',
    comparedNote: 'The rule leaves incidents and lost data out of what is usual, these counts do not; so they may differ a little.',
    silenceNote: 'Usual is the mean of the same hours in up to four weeks before.', silenceShort: 'Events in five minutes', silenceLong: 'Events in an hour', eventsN: 'Events', answersShare: 'Share of answers', leftShare: 'Share that left at each step', failedShare: 'Share of failed responses', waitsShare: 'How long customers waited',
    upTo: 'up to', longer: 'longer', noRegression: 'There is no such regression any more.', noRegressionNow: 'The database does not answer; trying again …', noneBefore: 'Nothing was counted in these times.', value: 'Value',
  },
  de: {
    skip: 'Zu den Zahlen', tenant: 'Mandant', touchpoint: 'Kontaktpunkt', channel: 'Kanal', device: 'Gerät', period: 'Zeitraum',
    language: 'Sprache', day: 'Letzte 24 Stunden', week: 'Letzte 7 Tage', all: 'alle',
    regressions: 'Offene Verschlechterungen', noRegressions: 'Keine ist offen. Beobachtet werden Kontaktpunkte, für die in der Datei der Kontaktpunkte jemand zuständig ist.',
    nps: 'Net Promoter Score', verbatims: 'Was Kunden schreiben', funnel: 'Kasse', response: 'Antworten an Kunden',
    matrix: 'Kontaktpunkte', matrixHint: 'Jeder Wert mit der Zahl seiner Fälle, dazu das 95-%-Intervall, wo es eines gibt.',
    freshness: 'Kann man den Zahlen trauen?', freshnessHint: 'Ereignisse der letzten 15 Minuten.',
    rejections: 'In der letzten Stunde abgelehnt', noRejections: 'Nichts wurde abgelehnt.',
    events: 'Ereignisse live', eventsHint: 'Die zuletzt angenommenen Ereignisse, nach Sekunden. Zum Ausprobieren: ?dry_run=1.',
    refused: 'Abgelehnte Ereignisse', refusedHint: 'Je Minute und Grund das neueste, aus der letzten Stunde. Die Antwort auf die Anfrage sagte alles, was daran falsch ist; kein Wert daraus wird behalten.', field: 'Erster Fehler', likeIt: 'Solche',
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
    found: 'Als es auffiel', usual: 'Üblich', allowed: 'Erlaubt', since: 'Seit', owner: 'Zuständig', runbook: 'Was tun', suspects: 'Kurz vorher geändert', contributor: 'Vor allem', cases: 'Fälle',
    ended: 'In den letzten 7 Tagen beendet', ended_resolved: 'vorbei', ended_adopted: 'gilt inzwischen als üblich', back: '← Alle Zahlen', course: 'Vorher und seitdem, im Verlauf', beforeAndSince: 'Vorher und seitdem',
    beforeIt: 'Vorher', sinceThen: 'Seitdem', asTable: 'Dasselbe als Tabelle', byDevice: 'Nach Gerät', byChannel: 'Nach Kanal', part: 'Teil', casesBefore: 'Fälle vorher', casesSince: 'Fälle seitdem',
    trustFine: 'Ereignisse kommen an, und in der letzten Stunde fehlte keines.', trustNever: 'Seit mehr als sechs Stunden ist nichts angekommen.',
    trustSilent: 'Seit {ago} ist nichts angekommen: Die Zahlen beruhen auf älteren Ereignissen.', trustNothing: 'Seit {since} kommt nichts mehr an, und das ist um diese Zeit nicht üblich: Prüfen Sie Annahme und Sender, bevor Sie einer Zahl glauben.',
    trustLost: '{n} Ereignisse gingen in der letzten Stunde unterwegs verloren: In den Sitzungen fehlen nummerierte Ereignisse.', trustUnjudged: 'Ereignisse gingen verloren oder konnten nicht angenommen werden: Regeln sagen seit {since} nichts (Beobachtungen: {n}), für diese Zeit wird also keine Verschlechterung gezeigt.',
    state: 'Stand', isOpen: 'offen', severity: 'Dringlichkeit', severity_page: 'jemand wird geweckt', severity_ticket: 'ein Ticket', chance: 'So viel zeigt der Zufall allein', onCases: 'bei', casesOf: 'Fällen', nobody: 'niemand',
    kind_same_hours_4_weeks: 'dieselben Stunden der 4 Wochen davor', kind_previous_24_hours: 'die 24 Stunden davor', kind_previous_28_days: 'die 28 Tage davor', kind_service_level: 'was versprochen ist',
    comparedHours: 'Vorher: dieselben Stunden der Woche in den vier Wochen davor.', comparedWeeks: 'Vorher: die vier Wochen davor.', comparedDay: 'Vorher: die 24 Stunden davor.', sinceSpan: 'Seitdem:',
    comparedNote: 'Die Regel nimmt Störungen und verlorene Daten vom Üblichen aus, diese Zählung nicht; beide können sich daher etwas unterscheiden.',
    silenceNote: 'Üblich ist das Mittel derselben Stunden in bis zu vier Wochen davor.', silenceShort: 'Ereignisse in fünf Minuten', silenceLong: 'Ereignisse in einer Stunde', eventsN: 'Ereignisse', answersShare: 'Anteil der Antworten', leftShare: 'Anteil, der bei jedem Schritt ging', failedShare: 'Anteil fehlgeschlagener Antworten', waitsShare: 'Wie lange Kunden warteten',
    upTo: 'bis', longer: 'länger', noRegression: 'Diese Verschlechterung gibt es nicht mehr.', noRegressionNow: 'Die Datenbank antwortet nicht. Neuer Versuch …', noneBefore: 'In diesen Zeiten wurde nichts gezählt.', value: 'Wert',
  },
}

export let language = 'en'

/** Chooses a language: the given one, else the browser's, else English. */
export const speak = (wanted) => {
  language = WORDS[wanted] ? wanted : navigator.language.startsWith('de') ? 'de' : 'en'
  document.documentElement.lang = language
  for (const element of document.querySelectorAll('[data-word]')) element.textContent = word(element.dataset.word)
}

/** The word in the chosen language, with its places filled; a name that is no word of ours stays as it is. */
export const word = (name, places = {}) => Object.entries(places).reduce((text, [place, value]) => text.replace(`{${place}}`, value), WORDS[language][name] ?? name)

const NONE = '–'
const format = (options) => (value) => value === null || value === undefined ? NONE : new Intl.NumberFormat(language, options).format(value)

export const count = format({ maximumFractionDigits: 0 })
export const score = format({ maximumFractionDigits: 1, minimumFractionDigits: 1 })
/** How rare something is: two digits, or that it is rarer than anybody can imagine. */
export const chance = (value) => value === null || value === undefined ? NONE : value < 1e-6 ? `< ${format({ style: 'percent', maximumFractionDigits: 4 })(1e-6)}` : format({ style: 'percent', maximumSignificantDigits: 2 })(value)
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
