/** Parameters of a hundred tools, as agents and services have them: written for these tests, in the words and habits of real ones. */
type Parameters = Readonly<Record<string, unknown>>;

const text = (description: string, more: object = {}): Parameters => ({ type: 'string', description, ...more });
const integer = (more: object = {}): Parameters => ({ type: 'integer', ...more });
const number = (more: object = {}): Parameters => ({ type: 'number', ...more });
const flag = (description: string): Parameters => ({ type: 'boolean', description, default: false });
const list = (items: Parameters, more: object = {}): Parameters => ({ type: 'array', items, ...more });
const one = (...values: readonly unknown[]): Parameters => ({ enum: values });
const maybe = (schema: Parameters): Parameters => ({ anyOf: [schema, { type: 'null' }] });
/** Names that end with a question mark need not be there. */
function object(properties: Readonly<Record<string, Parameters>>, more: object = {}): Parameters {
  const names = Object.keys(properties);
  const required = names.filter((name) => !name.endsWith('?'));
  const plain = Object.fromEntries(names.map((name) => [name.replace(/\?$/, ''), properties[name]!]));
  return { type: 'object', properties: plain, required, additionalProperties: false, ...more };
}
const date = text('ISO 8601', { format: 'date' });
const time = text('RFC 3339', { format: 'date-time' });
const page = { 'page?': integer({ minimum: 1 }), 'per_page?': integer({ minimum: 1, maximum: 100 }) };
const place = object({
  latitude: number({ minimum: -90, maximum: 90 }),
  longitude: number({ minimum: -180, maximum: 180 }),
});

export const TOOLS: Readonly<Record<string, Parameters>> = {
  get_weather: object({ location: text('City and country'), 'unit?': one('celsius', 'fahrenheit') }),
  get_forecast: object({ place, days: integer({ minimum: 1, maximum: 16 }), 'hourly?': flag('By the hour') }),
  web_search: object({
    query: text('What to look for', { minLength: 1 }),
    'num_results?': integer({ minimum: 1, maximum: 20 }),
    'site?': text('Only there'),
  }),
  fetch_url: object({
    url: text('Address', { format: 'uri' }),
    'method?': one('GET', 'POST', 'HEAD'),
    'headers?': { type: 'object', additionalProperties: { type: 'string' } },
  }),
  read_file: object({
    path: text('Absolute path'),
    'offset?': integer({ minimum: 0 }),
    'limit?': integer({ minimum: 1 }),
  }),
  write_file: object({ path: text('Absolute path'), content: text('All of it') }),
  edit_file: object({
    path: text('Path'),
    edits: list(object({ old_text: text('Exact'), new_text: text('New') }), { minItems: 1 }),
    'dry_run?': flag('Only show'),
  }),
  list_directory: object({ path: text('Path'), 'ignore?': list({ type: 'string' }) }),
  move_file: object({ source: text('From'), destination: text('To') }),
  search_files: object({
    pattern: text('Glob'),
    path: maybe({ type: 'string' }),
    'exclude?': list({ type: 'string' }),
  }),
  grep: object({
    pattern: text('Regular expression'),
    'output_mode?': one('content', 'files', 'count'),
    'context?': integer({ minimum: 0, maximum: 10 }),
    'ignore_case?': flag('Any case'),
  }),
  run_command: object({
    command: text('Shell command'),
    'timeout_ms?': number({ minimum: 0, maximum: 600000 }),
    'cwd?': text('Where'),
  }),
  run_python: object({ code: text('Source') }),
  apply_patch: object({ input: text('Unified diff') }),
  todo_write: object({
    todos: list(
      object({
        content: text('What', { minLength: 1 }),
        status: one('pending', 'in_progress', 'completed'),
        id: text('Id'),
      }),
    ),
  }),
  ask_user: object({
    question: text('Question'),
    options: list(object({ label: text('Short'), 'description?': text('More') }), { minItems: 2, maxItems: 4 }),
  }),
  git_commit: object({ message: text('Message'), 'amend?': flag('Amend'), 'files?': list({ type: 'string' }) }),
  git_log: object({ 'max_count?': integer({ minimum: 1, maximum: 1000, default: 10 }), 'since?': date }),
  create_issue: object({
    owner: text('Owner'),
    repo: text('Repository'),
    title: text('Title', { maxLength: 256 }),
    'body?': text('Text'),
    'labels?': list({ type: 'string' }),
    'assignees?': list({ type: 'string' }, { maxItems: 10 }),
  }),
  list_issues: object({
    owner: text('Owner'),
    repo: text('Repository'),
    'state?': one('open', 'closed', 'all'),
    'sort?': one('created', 'updated', 'comments'),
    ...page,
  }),
  create_pull_request: object({
    title: text('Title'),
    head: text('Branch'),
    base: text('Branch'),
    'draft?': flag('Draft'),
  }),
  review_pull_request: object({
    number: integer({ minimum: 1 }),
    event: one('APPROVE', 'REQUEST_CHANGES', 'COMMENT'),
    'comments?': list(object({ path: text('File'), line: integer({ minimum: 1 }), body: text('Text') })),
  }),
  search_code: object({ q: text('Query'), 'order?': one('asc', 'desc'), ...page }),
  send_email: object({
    to: list(text('Address', { format: 'email' }), { minItems: 1 }),
    'cc?': list(text('Address', { format: 'email' })),
    subject: text('Subject', { maxLength: 200 }),
    body: text('Text'),
    'is_html?': flag('HTML'),
  }),
  search_email: object({
    query: text('Query'),
    'after?': date,
    'before?': date,
    'has_attachment?': { type: ['boolean', 'null'] },
  }),
  create_event: object({
    title: text('Title'),
    start: time,
    end: time,
    'attendees?': list(text('Address', { format: 'email' })),
    'recurrence?': object({ freq: one('daily', 'weekly', 'monthly'), interval: integer({ minimum: 1 }) }),
  }),
  find_free_time: object({
    people: list({ type: 'string' }, { minItems: 1 }),
    minutes: integer({ minimum: 15, maximum: 480 }),
    from: time,
    to: time,
  }),
  set_reminder: object({ text: text('What'), at: time }),
  set_alarm: object({
    at: text('Time of the day', { pattern: '^(?:[01]\\d|2[0-3]):[0-5]\\d$' }),
    'days?': list(one('mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'), { maxItems: 7 }),
  }),
  set_timer: object({ seconds: integer({ exclusiveMinimum: 0, maximum: 86400 }), 'label?': text('Name') }),
  send_message: object({
    channel: text('Channel', { pattern: '^[#@][a-z0-9_-]{1,80}$' }),
    text: text('Text'),
    'thread_ts?': text('Thread', { pattern: '^\\d{10}\\.\\d{6}$' }),
  }),
  list_channels: object({ 'limit?': integer({ minimum: 1, maximum: 200 }), 'cursor?': { type: 'string' } }),
  translate: object({
    text: text('Text'),
    target: text('Language', { pattern: '^[a-z]{2}(?:-[A-Z]{2})?$' }),
    'source?': maybe({ type: 'string' }),
  }),
  summarize: object({
    text: text('Text'),
    'style?': one('bullets', 'paragraph'),
    'max_words?': integer({ minimum: 10, maximum: 500 }),
  }),
  classify: object({ label: one('positive', 'negative', 'neutral'), confidence: number({ minimum: 0, maximum: 1 }) }),
  extract_person: object({
    name: text('Name'),
    age: maybe(integer({ minimum: 0, maximum: 150 })),
    emails: list(text('Address', { format: 'email' })),
  }),
  extract_invoice: object({
    number: text('Number'),
    issued: date,
    currency: text('Code', { pattern: '^[A-Z]{3}$' }),
    lines: list(
      object({
        description: text('What'),
        quantity: number({ exclusiveMinimum: 0 }),
        unit_price: number({ minimum: 0 }),
      }),
      { minItems: 1 },
    ),
    total: number({ minimum: 0 }),
  }),
  extract_entities: object({
    entities: list(object({ text: text('As written'), type: one('person', 'place', 'organisation', 'date') })),
  }),
  math_answer: object({
    steps: list(object({ explanation: text('Why'), output: text('Result') })),
    final_answer: text('Answer'),
  }),
  calculator: object({ operation: one('add', 'subtract', 'multiply', 'divide'), a: number(), b: number() }),
  convert_currency: object({
    amount: number({ exclusiveMinimum: 0 }),
    from: text('Code', { pattern: '^[A-Z]{3}$' }),
    to: text('Code', { pattern: '^[A-Z]{3}$' }),
  }),
  convert_units: object({ value: number(), from: { type: 'string' }, to: { type: 'string' } }),
  get_stock_price: object({
    symbol: text('Ticker', { pattern: '^[A-Z.]{1,6}$' }),
    'range?': one('1d', '5d', '1mo', '1y'),
  }),
  place_order: object({
    symbol: { type: 'string' },
    side: one('buy', 'sell'),
    quantity: integer({ minimum: 1, maximum: 10000 }),
    order: {
      oneOf: [
        object({ type: { const: 'market' } }),
        object({ type: { const: 'limit' }, price: number({ exclusiveMinimum: 0 }) }),
      ],
    },
  }),
  transfer_money: object({
    from_account: { type: 'string' },
    to_account: { type: 'string' },
    amount: number({ exclusiveMinimum: 0, maximum: 50000 }),
    'memo?': text('Purpose', { maxLength: 140 }),
  }),
  get_balance: object({ account_id: text('Id', { format: 'uuid' }) }),
  search_flights: object({
    origin: text('IATA', { pattern: '^[A-Z]{3}$' }),
    destination: text('IATA', { pattern: '^[A-Z]{3}$' }),
    departure: date,
    'return?': maybe(date),
    passengers: object({
      adults: integer({ minimum: 1, maximum: 9 }),
      'children?': integer({ minimum: 0, maximum: 8 }),
    }),
    'cabin?': one('economy', 'premium_economy', 'business', 'first'),
  }),
  book_flight: object({
    offer_id: text('Id', { format: 'uuid' }),
    passengers: list(object({ given_name: { type: 'string' }, family_name: { type: 'string' }, born: date }), {
      minItems: 1,
      maxItems: 9,
    }),
  }),
  search_hotels: object({
    city: { type: 'string' },
    check_in: date,
    check_out: date,
    'stars?': integer({ minimum: 1, maximum: 5 }),
    'price?': object({ 'min?': number({ minimum: 0 }), 'max?': number({ minimum: 0 }) }),
  }),
  book_restaurant: object({
    restaurant_id: { type: 'string' },
    party: integer({ minimum: 1, maximum: 20 }),
    at: time,
    'notes?': text('Wishes', { maxLength: 500 }),
  }),
  get_directions: object({
    origin: { anyOf: [{ type: 'string' }, place] },
    destination: { anyOf: [{ type: 'string' }, place] },
    'mode?': one('driving', 'walking', 'bicycling', 'transit'),
  }),
  find_places: object({
    near: place,
    radius: integer({ minimum: 1, maximum: 50000 }),
    'types?': list(one('cafe', 'restaurant', 'park', 'museum')),
  }),
  geocode: object({ address: { type: 'string' } }),
  play_music: object(
    { 'artist?': { type: 'string' }, 'track?': { type: 'string' }, 'shuffle?': { type: 'boolean' } },
    { minProperties: 1 },
  ),
  control_light: object({
    room: one('kitchen', 'bedroom', 'hall'),
    on: { type: 'boolean' },
    'brightness?': integer({ minimum: 0, maximum: 100 }),
    'colour?': text('RGB', { pattern: '^#[0-9A-Fa-f]{6}$' }),
  }),
  set_thermostat: object({
    temperature: number({ minimum: 5, maximum: 30.5 }),
    'mode?': one('heat', 'cool', 'auto', 'off'),
  }),
  lock_door: object({ door: { type: 'string' }, locked: { type: 'boolean' } }),
  query_database: object({
    sql: text('SELECT only'),
    'parameters?': list({ type: ['string', 'number', 'boolean', 'null'] }),
  }),
  list_tables: object({ 'schema?': { type: 'string' } }),
  describe_table: object({ table: text('Name', { pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }) }),
  insert_rows: object({
    table: { type: 'string' },
    rows: list(
      { type: 'object', additionalProperties: { type: ['string', 'number', 'boolean', 'null'] } },
      { minItems: 1 },
    ),
  }),
  vector_search: object(
    { query: { type: 'string' }, top_k: integer({ minimum: 1, maximum: 100 }), 'filter?': { $ref: '#/$defs/filter' } },
    {
      $defs: {
        filter: {
          anyOf: [
            object({ field: { type: 'string' }, equals: { type: ['string', 'number', 'boolean'] } }),
            object({ and: list({ $ref: '#/$defs/filter' }, { minItems: 1 }) }),
            object({ not_in: list({ type: 'string' }) }),
          ],
        },
      },
    },
  ),
  upsert_document: object({ id: { type: 'string' }, text: { type: 'string' }, 'metadata?': { type: 'object' } }),
  kubectl_get: object({
    resource: one('pods', 'deployments', 'services', 'nodes'),
    'namespace?': text('Namespace', { pattern: '^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$' }),
    'all_namespaces?': { type: 'boolean' },
  }),
  scale_deployment: object({ name: { type: 'string' }, replicas: integer({ minimum: 0, maximum: 100 }) }),
  create_vm: object({
    name: { type: 'string' },
    image: { type: 'string' },
    size: one('s', 'm', 'l', 'xl'),
    'disks?': list(object({ gib: integer({ minimum: 10, maximum: 4096 }), type: one('ssd', 'hdd') }), { maxItems: 8 }),
    'tags?': { type: 'object', additionalProperties: { type: 'string' }, maxProperties: 5 },
  }),
  dns_record: object({
    zone: text('Zone', { format: 'hostname' }),
    record: {
      oneOf: [
        object({ type: { const: 'A' }, value: text('Address', { format: 'ipv4' }) }),
        object({ type: { const: 'CNAME' }, value: text('Name', { format: 'hostname' }) }),
        object({
          type: { const: 'MX' },
          value: text('Name', { format: 'hostname' }),
          priority: integer({ minimum: 0, maximum: 65535 }),
        }),
      ],
    },
  }),
  ping: object({
    host: { anyOf: [text('Name', { format: 'hostname' }), text('Address', { format: 'ipv4' })] },
    'count?': integer({ minimum: 1, maximum: 10 }),
  }),
  query_metrics: object({
    expression: { type: 'string' },
    start: time,
    end: time,
    step_seconds: integer({ minimum: 1 }),
  }),
  create_alert: object({
    name: { type: 'string' },
    threshold: number(),
    comparison: one('>', '>=', '<', '<='),
    'severity?': one('info', 'warning', 'critical'),
  }),
  page_on_call: object({
    team: { type: 'string' },
    summary: text('Summary', { maxLength: 120 }),
    urgency: one('high', 'low'),
  }),
  create_ticket: object({
    project: text('Key', { pattern: '^[A-Z][A-Z0-9]{1,9}$' }),
    type: one('Bug', 'Task', 'Story'),
    summary: text('Summary', { minLength: 1, maxLength: 255 }),
    'priority?': integer({ enum: [1, 2, 3, 4, 5] }),
  }),
  transition_ticket: object({
    key: text('Key', { pattern: '^[A-Z][A-Z0-9]{1,9}-[1-9]\\d*$' }),
    to: one('To Do', 'In Progress', 'Done'),
  }),
  create_page: object(
    { parent_id: { type: 'string' }, title: { type: 'string' }, blocks: list({ $ref: '#/$defs/block' }) },
    {
      $defs: {
        block: {
          oneOf: [
            object({ type: { const: 'heading' }, level: one(1, 2, 3), text: { type: 'string' } }),
            object({ type: { const: 'paragraph' }, text: { type: 'string' } }),
            object({ type: { const: 'list' }, items: list({ $ref: '#/$defs/block' }) }),
          ],
        },
      },
    },
  ),
  update_page: object({
    page_id: text('Id', { format: 'uuid' }),
    'title?': maybe({ type: 'string' }),
    'archived?': { type: 'boolean' },
  }),
  create_contact: object({
    name: { type: 'string' },
    'phones?': list(
      object({ type: one('home', 'work', 'mobile'), number: text('E.164', { pattern: '^\\+[1-9]\\d{6,14}$' }) }),
    ),
    'address?': object({
      street: { type: 'string' },
      city: { type: 'string' },
      postcode: { type: 'string' },
      country: text('Code', { pattern: '^[A-Z]{2}$' }),
    }),
  }),
  update_deal: object({
    deal_id: integer({ minimum: 1 }),
    'stage?': one('lead', 'qualified', 'proposal', 'won', 'lost'),
    'amount?': maybe(number({ minimum: 0 })),
  }),
  search_products: object({
    query: { type: 'string' },
    'category?': { type: 'string' },
    'price_max?': number({ minimum: 0 }),
    'in_stock?': { type: 'boolean' },
    'sort?': one('price_asc', 'price_desc', 'rating'),
  }),
  add_to_cart: object({
    sku: text('Article', { pattern: '^[A-Z0-9]{4,12}$' }),
    quantity: integer({ minimum: 1, maximum: 99 }),
  }),
  checkout: object({
    cart_id: { type: 'string' },
    payment: {
      oneOf: [
        object({ method: { const: 'card' }, token: { type: 'string' } }),
        object({ method: { const: 'invoice' } }),
      ],
    },
    'gift?': { type: 'boolean' },
  }),
  track_package: object({
    carrier: one('dhl', 'ups', 'fedex', 'usps'),
    number: text('Number', { pattern: '^[A-Z0-9]{8,30}$' }),
  }),
  refund_order: object({
    order_id: { type: 'string' },
    reason: one('damaged', 'wrong_item', 'late', 'other'),
    'amount?': number({ exclusiveMinimum: 0 }),
  }),
  generate_image: object({
    prompt: text('What', { minLength: 1 }),
    'size?': one('256x256', '512x512', '1024x1024'),
    'n?': integer({ minimum: 1, maximum: 4 }),
    'seed?': integer({ minimum: 0, maximum: 4294967295 }),
  }),
  crop_image: object({
    image: { type: 'string' },
    box: {
      type: 'array',
      prefixItems: [integer({ minimum: 0 }), integer({ minimum: 0 }), integer({ minimum: 1 }), integer({ minimum: 1 })],
      items: false,
      minItems: 4,
    },
  }),
  text_to_speech: object({
    text: text('Text', { maxLength: 4096 }),
    voice: one('alloy', 'echo', 'nova'),
    'speed?': number({ minimum: 0.25, maximum: 4 }),
  }),
  transcribe: object({
    file: { type: 'string' },
    'language?': maybe(text('Code', { pattern: '^[a-z]{2}$' })),
    'timestamps?': list(one('word', 'segment'), { maxItems: 2 }),
  }),
  click: object({
    target: {
      oneOf: [
        object({ by: { const: 'selector' }, selector: { type: 'string' } }),
        object({ by: { const: 'position' }, x: integer({ minimum: 0 }), y: integer({ minimum: 0 }) }),
      ],
    },
    'button?': one('left', 'right', 'middle'),
  }),
  type_text: object({
    text: { type: 'string' },
    'submit?': { type: 'boolean' },
    'delay_ms?': integer({ minimum: 0, maximum: 1000 }),
  }),
  scroll: object({ direction: one('up', 'down', 'left', 'right'), 'amount?': integer({ minimum: 1, maximum: 100 }) }),
  take_screenshot: object({ 'full_page?': { type: 'boolean' } }),
  navigate: object({ url: text('Address', { pattern: '^https?://' }) }),
  remember: object({
    entities: list(
      object({ name: { type: 'string' }, entityType: { type: 'string' }, observations: list({ type: 'string' }) }),
    ),
  }),
  think: object({
    thought: { type: 'string' },
    nextThoughtNeeded: { type: 'boolean' },
    thoughtNumber: integer({ minimum: 1 }),
    totalThoughts: integer({ minimum: 1 }),
    'branchId?': { type: 'string' },
  }),
  handoff: object({
    agent: one('billing', 'support', 'sales'),
    'context?': { type: 'object', additionalProperties: true },
  }),
  final_answer: object({
    answer: { type: 'string' },
    sources: list(text('Address', { format: 'uri' })),
    'confidence?': one('low', 'medium', 'high'),
  }),
  plan: object(
    { goal: { type: 'string' }, steps: list({ $ref: '#/$defs/step' }, { minItems: 1 }) },
    { $defs: { step: object({ title: { type: 'string' }, 'substeps?': list({ $ref: '#/$defs/step' }) }) } },
  ),
  rate_limit: object({
    key: { type: 'string' },
    limit: integer({ minimum: 1 }),
    window: text('ISO 8601', { pattern: '^PT\\d+[HMS]$' }),
  }),
  schedule_job: object({
    name: { type: 'string' },
    cron: text('Five fields', { pattern: '^(?:\\S+ ){4}\\S+$' }),
    'enabled?': { type: 'boolean' },
    'payload?': {},
  }),
  define_word: object({
    word: text('Word', { minLength: 1 }),
    'language?': one('en', 'de', 'fr'),
    'examples?': integer({ minimum: 0, maximum: 5 }),
  }),
  nothing: object({}),
};
