// Types of touchstream.js and touchstream-widget.js, for `/// <reference path="touchstream.d.ts" />` or "types" in tsconfig.json.

declare namespace Touchstream {
  /** An amount: a number, or exact as text. Its currency goes along. */
  type Amount = number | string

  interface Options {
    /** Browser write key. */
    key?: string
    /** Where ingest is; without it, where the file came from. */
    endpoint?: string
    /** Touchpoint of events outside of the checkout, such as `shop`. */
    touchpoint?: string
    appVersion?: string
    /** `internal` for your own people; a browser driven by a program is `bot` by itself. */
    traffic?: 'human' | 'bot' | 'internal'
    /** `off`: page views are told by `touchstream('page')` only. */
    pages?: 'off'
    /** `off`: no loading times. */
    timing?: 'off'
    /** Present: errors of the page are told, by their kind. */
    errors?: ''
    /** Present: GA4 e-commerce pushes are read from this array (`dataLayer` when empty). */
    dataLayer?: string
    /** Present: a browser with Global Privacy Control is never given an id, whatever was clicked. */
    respectGpc?: ''
    /** Present: the key's legal basis is not consent, so customer_id and account_id may be sent before it. */
    basis?: 'contract' | 'legitimate_interest'
    /** Present: the console says what is sent and answered. */
    debug?: ''
  }

  /** Circumstances of an event; other fields are kept as text. */
  interface Context {
    customer_id?: string | null
    account_id?: string | null
    touchpoint?: string
    channel?: string
    device?: string
    mode?: 'self' | 'bot' | 'assisted'
    persona?: string
    member?: boolean
    locale?: string
    app_version?: string
    variant?: string
    campaign?: string
    preferred_channel?: string
    stage?: string
    traffic?: 'human' | 'bot' | 'internal'
    [field: string]: unknown
  }

  interface Attempt {
    checkout_id?: string
    cart_id?: string
    order_id?: string
    value?: Amount
    currency?: string
    items?: number
    [field: string]: unknown
  }

  type FrictionKind = 'extra_cost' | 'account_required' | 'too_long' | 'total_hidden' | 'trust' | 'slow_delivery' | 'site_error'
    | 'returns_policy' | 'payment_methods' | 'declined' | 'popup' | 'other'
  type StepAction = 'viewed' | 'completed' | 'failed'

  interface StepDetails extends Attempt {
    index?: number
    error?: string
    extra_cost?: Amount
    shipping_tier?: string
    payment_type?: string
    account_type?: string
  }

  interface Checkout {
    started: Attempt
    step: StepDetails & { step: string; action?: StepAction }
    friction: Attempt & { kind: FrictionKind | (string & {}) }
    abandoned: Attempt & { reason?: string }
    completed: Attempt & { transaction_id?: string }
    refunded: Attempt & { transaction_id?: string }
  }

  interface Survey { survey_id: string; submission_id?: string; story_id?: string; scene?: number; [field: string]: unknown }
  interface Conversation { conversation_id: string; [field: string]: unknown }

  /** Every event type with its data. */
  interface Events {
    'checkout.started': Checkout['started']
    'checkout.step': Checkout['step']
    'checkout.friction': Checkout['friction']
    'checkout.abandoned': Checkout['abandoned']
    'checkout.completed': Checkout['completed']
    'checkout.refunded': Checkout['refunded']
    'chat.started': Conversation & { case_id?: string; topic?: string; initiator?: 'customer' | 'agent' | 'bot' }
    'chat.message': Conversation & {
      sender: 'customer' | 'agent' | 'bot' | 'system'
      message_id?: string; public?: boolean; fallback?: boolean; answer_id?: string; reasked_field?: string; agent_id?: string
    }
    'chat.handoff': Conversation & { requested_by?: 'customer' | 'bot' | 'agent'; context_passed?: boolean }
    'chat.status': Conversation & { state: 'solved' | 'closed' | 'reopened'; by?: string; case_id?: string; topic?: string }
    'chat.call': Conversation & { queue_s?: number; talk_s?: number; answered?: boolean }
    'feedback.shown': Survey
    'feedback.dismissed': Survey
    'feedback.answered': Survey & {
      metric: 'nps' | 'csat' | 'ces' | 'rating' | 'choice' | 'text'
      score?: number; scale_min?: number; scale_max?: number; choice?: string; question_id?: string; driver?: string
      respondent?: 'customer' | 'employee'; subject_id?: string; subject_type?: string; text?: string
    }
    'feedback.review': { rating: number; source?: string; product?: string; text?: string; review_id?: string; [field: string]: unknown }
    'feedback.follow_up': { submission_id: string; state: 'contacted' | 'resolved'; [field: string]: unknown }
    'app.session_started': { [field: string]: unknown }
    'app.screen_viewed': { name: string; [field: string]: unknown }
    'app.response': { name: string; duration_ms: number; status?: number; [field: string]: unknown }
    'app.task': { name: string; result: 'success' | 'failure' | 'abandoned'; duration_ms?: number; [field: string]: unknown }
    'app.error': { code: string; fatal?: boolean; [field: string]: unknown }
    'app.interaction': { name: string; action?: string; [field: string]: unknown }
    'app.order': {
      order_id: string; state: 'placed' | 'paid' | 'shipped' | 'delayed' | 'delivered' | 'returned' | 'cancelled'
      due_at?: string | number; [field: string]: unknown
    }
    'app.notice': { kind: string; status: 'sent' | 'delivered' | 'opened'; order_id?: string; compensation?: string; [field: string]: unknown }
    'app.change': { name: string; [field: string]: unknown }
  }

  interface Status {
    /** Events not answered yet. */
    waiting: number
    /** Events that this page has given up. */
    dropped: number
    /** Nothing answers; the page sends no more until the network comes back or the next page is loaded. */
    isBlocked: boolean
  }

  interface Texts {
    question: string; low: string; high: string; reason: string; hint: string; send: string; close: string; missing: string; thanks: string
  }

  interface Question {
    /** survey_id of its events; the metric when left out. */
    survey?: string
    metric?: 'nps' | 'csat' | 'ces'
    /** Selector of the element to stand in; without it, the corner of the window. */
    target?: string
    /** The visitor asked for it: it is shown in any case and takes the focus. */
    open?: boolean
    /** Days in which nobody is asked again; 30 when left out. */
    days?: number
    /** Ask without consent too; then later pages cannot know that somebody was asked. */
    withoutConsent?: boolean
    /** The answer belongs to the visitor's other events; anonymous when left out. */
    identified?: boolean
    /** `de` or `en`; the document's when left out. */
    language?: string
    texts?: Partial<Texts>
    context?: Context
  }

  interface Command {
    /** Any event of the catalogue. */
    <Type extends keyof Events>(type: Type, data: Events[Type], context?: Context): void
    (command: 'init', options: Options): void
    (command: 'set', context: Context): void
    /** What the visitor agrees to; `analytics` allows an id and a queue on the device, its absence wipes both. */
    (command: 'consent', purposes: string[]): void
    (command: 'page', name?: string, data?: { [field: string]: unknown }): void
    <What extends keyof Checkout>(command: 'checkout', what: What, data?: Checkout[What], context?: Context): void
    (command: 'step', step: string, action?: StepAction, data?: StepDetails): void
    (command: 'track', type: string, data?: object, context?: Context): void
    /** With touchstream-widget.js. */
    (command: 'ask', question?: Question): void
    (command: 'flush'): void
    (command: 'status', receive: (status: Status) => void): void
  }
}

interface Window { touchstream: Touchstream.Command }
declare var touchstream: Touchstream.Command
