// What the widget says, in the languages it knows; a site may give its own words for each.

const GERMAN = {
  language: 'de',
  question: 'Wie wahrscheinlich ist es, dass Sie uns weiterempfehlen?',
  low: 'sehr unwahrscheinlich',
  high: 'sehr wahrscheinlich',
  reason: 'Was ist der Hauptgrund? (freiwillig)',
  hint: 'Anonym. Bitte keine Namen oder Kontaktdaten.',
  send: 'Senden',
  close: 'Schließen',
  missing: 'Bitte wählen Sie eine Zahl.',
  thanks: 'Vielen Dank für Ihre Antwort.',
}

const ENGLISH = {
  language: 'en',
  question: 'How likely are you to recommend us?',
  low: 'not at all likely',
  high: 'extremely likely',
  reason: 'What is the main reason? (optional)',
  hint: 'Anonymous. No names or contact details, please.',
  send: 'Send',
  close: 'Close',
  missing: 'Please choose a number.',
  thanks: 'Thank you for your answer.',
}

/** The texts in a language; English for those that are not known. */
export const textsIn = (language) => /^de\b/i.test(language) ? GERMAN : ENGLISH
