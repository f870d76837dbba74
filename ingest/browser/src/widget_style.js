// The widget's looks. Every rule has no weight (:where), so any rule of the site wins; colours and measures are custom properties.
// A style sheet object rather than a style element: a Content-Security-Policy without 'unsafe-inline' allows it.

const SHEET = `
:where(.touchstream-feedback) {
  --ts-text: light-dark(#1c1c22, #f2f2f5); --ts-quiet: light-dark(#56565f, #b6b6c0); --ts-surface: light-dark(#fff, #1e1e24);
  --ts-line: light-dark(#83838d, #85858f); --ts-accent: light-dark(#1550c0, #9ebcff); --ts-on-accent: light-dark(#fff, #10182c);
  --ts-error: light-dark(#b3150f, #ffa29c); --ts-radius: 12px; --ts-font: inherit;
  position: fixed; inset: auto 16px 16px auto; z-index: 2147483000; box-sizing: border-box;
  width: min(440px, calc(100vw - 32px)); max-height: calc(100vh - 32px); max-height: calc(100dvh - 32px); overflow: auto;
  padding: 20px; border: 1px solid var(--ts-line); border-radius: var(--ts-radius); color: var(--ts-text); background: var(--ts-surface);
  font-family: var(--ts-font); font-size: 1rem; line-height: 1.4; box-shadow: 0 8px 32px rgb(0 0 0 / .2);
}
:where(.touchstream-feedback.is-inline) { position: static; width: auto; max-width: 440px; box-shadow: none; max-height: none }
:where(.touchstream-feedback *) { box-sizing: border-box; font: inherit; color: inherit }
:where(.touchstream-feedback :focus-visible, .touchstream-feedback input:focus-visible + span) {
  outline: 3px solid var(--ts-accent); outline-offset: 1px
}
:where(.touchstream-feedback fieldset) { margin: 0; padding: 0; border: 0; min-width: 0 }
:where(.touchstream-feedback legend) { padding: 0 44px 12px 0; font-weight: 600 }
:where(.touchstream-scores) { display: grid; grid-template-columns: repeat(auto-fit, minmax(44px, 1fr)); gap: 6px }
:where(.touchstream-feedback .is-nps) { grid-template-columns: repeat(11, 1fr); gap: 4px }
:where(.touchstream-scores label) { position: relative; display: block; cursor: pointer }
:where(.touchstream-scores input) { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: pointer }
:where(.touchstream-scores span) {
  display: grid; place-items: center; min-height: 44px; border: 1px solid var(--ts-line); border-radius: 8px;
  font-variant-numeric: tabular-nums
}
:where(.touchstream-scores label:hover span) { border-color: var(--ts-accent); box-shadow: inset 0 0 0 1px var(--ts-accent) }
:where(.touchstream-scores input:checked + span) {
  color: var(--ts-on-accent); background: var(--ts-accent); border-color: var(--ts-accent); font-weight: 700
}
:where(.touchstream-ends) {
  display: flex; justify-content: space-between; gap: 16px; margin: 6px 0 0; color: var(--ts-quiet); font-size: .875rem
}
:where(.touchstream-ends span + span) { text-align: right }
:where(.touchstream-reason) { display: block; margin: 16px 0 4px }
:where(.touchstream-feedback textarea) {
  display: block; width: 100%; min-height: 64px; padding: 8px 10px; resize: vertical; border: 1px solid var(--ts-line);
  border-radius: 8px; background: transparent
}
:where(.touchstream-hint) { margin: 4px 0 0; color: var(--ts-quiet); font-size: .875rem }
:where(.touchstream-error) { margin: 0; color: var(--ts-error); font-weight: 600 }
:where(.touchstream-error:not(:empty)) { margin-top: 8px }
:where(.touchstream-thanks) { margin: 0; padding-right: 44px; font-weight: 600 }
:where(.touchstream-news) { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
:where(.touchstream-feedback button) { min-width: 44px; min-height: 44px; border-radius: 8px; cursor: pointer }
:where(.touchstream-send) {
  margin-top: 14px; padding: 0 22px; border: 1px solid var(--ts-accent); color: var(--ts-on-accent); background: var(--ts-accent);
  font-weight: 600
}
:where(.touchstream-close) { position: absolute; top: 8px; right: 8px; border: 0; background: none; font-size: 1.5rem; line-height: 1 }
:where(.is-inline .touchstream-close) { float: right; position: static; margin: -8px -8px 0 0 }
@media (max-width: 480px) { :where(.touchstream-feedback .is-nps) { grid-template-columns: repeat(6, 1fr); gap: 6px } }
@media (prefers-reduced-motion: no-preference) {
  :where(.touchstream-feedback) { animation: touchstream-rise .2s ease-out }
  @keyframes touchstream-rise { from { opacity: 0; transform: translateY(12px) } }
}`

let isAdopted = false

/** Adds the style sheet to the document, once. */
export const addStyle = () => {
  if (isAdopted) return
  isAdopted = true
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(SHEET.replace(/\s+/g, ' '))
  // First, so that sheets of the site come later and win even at equal weight.
  document.adoptedStyleSheets = [sheet, ...document.adoptedStyleSheets]
}
