/** What /metrics tells Prometheus. Where vLLM's server tells the same, the name after `realizar_` is vLLM's. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { EngineStatistics } from '../addon/index.js';
import type { Activity, GenerationResult } from '../llm/index.js';
import type { Admission } from './admission.js';
import type { Connections } from './connections.js';
import type { Log } from './log.js';

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const TOKEN_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** What is asked when somebody looks. */
interface Watched {
  readonly activity: () => Activity;
  readonly statistics: () => EngineStatistics | undefined;
  readonly admission: Admission;
  readonly texts: Admission;
  readonly connections: Connections;
  readonly log: Log;
}

export class Metrics {
  readonly registry = new Registry();
  readonly #requests = this.#counter('requests_total', 'Requests answered', ['route', 'status']);
  readonly #requestSeconds = this.#histogram('request_duration_seconds', 'From request to end of answer', SECONDS, [
    'route',
  ]);
  readonly #promptTokens = this.#counter('prompt_tokens_total', 'Tokens of prompts, those in the KV cache included');
  readonly #cachedTokens = this.#counter('prompt_tokens_cached_total', 'Tokens of prompts that were in the KV cache');
  readonly #completionTokens = ['completion_tokens_total', 'generation_tokens_total'].map((name) =>
    this.#counter(name, 'Tokens generated'),
  );
  readonly #cancelled = this.#counter('generations_cancelled_total', 'Generations ended before they were done');
  readonly #defects = this.#counter('defects_total', 'Failures outside of any request that the server survived');
  readonly #queueSeconds = this.#histogram('queue_wait_seconds', 'Until it was a generation’s turn', SECONDS);
  readonly #firstTokenSeconds = this.#histogram(
    'time_to_first_token_seconds',
    'Until the first token: waiting, and the prompt',
    SECONDS,
  );
  readonly #betweenTokensSeconds = this.#histogram(
    'inter_token_latency_seconds',
    'Between each two tokens of a generation',
    TOKEN_SECONDS,
  );
  readonly #tokenSeconds = this.#histogram('time_per_output_token_seconds', 'Mean of a generation', TOKEN_SECONDS);
  readonly #wholeSeconds = this.#histogram(
    'e2e_request_latency_seconds',
    'Until the last token: waiting, prompt and answer',
    SECONDS,
  );

  constructor({ activity, statistics, admission, texts, connections, log }: Watched) {
    collectDefaultMetrics({ register: this.registry });
    this.#engine(statistics);
    this.#gauge('slots', 'Generations that can run at once', () => admission.slots);
    this.#gauge('slots_busy', 'Generations that run', () => activity().running);
    this.#gauge('queue_length', 'Generations that wait for their turn', () => activity().waiting);
    this.#gauge('queue_limit', 'Generations that may wait for their turn', () => admission.queueLimit);
    this.#gauge(
      'places_occupied',
      'Generations that run, wait, or whose answer was not taken yet',
      () => admission.occupied,
    );
    this.#gauge(
      'texts',
      'Texts that are made tokens, or tokens that are made texts, or wait for that',
      () => texts.occupied,
    );
    this.#gauge('connections', 'Connections that are open', () => connections.count());
    this.#total(
      'connections_dropped_total',
      'Connections closed because of --max-connections',
      () => connections.dropped,
    );
    this.#total('log_lines_dropped_total', 'Lines of the log that could not be written', () => log.dropped);
  }

  request(route: string, status: number, seconds: number): void {
    this.#requests.inc({ route, status });
    this.#requestSeconds.observe({ route }, seconds);
  }

  /** One was made, so many milliseconds after the one before it, where it is not the first. */
  token(since: number | undefined): void {
    for (const counter of this.#completionTokens) counter.inc();
    if (since !== undefined) this.#betweenTokensSeconds.observe(since / 1000);
  }

  cancelled(): void {
    this.#cancelled.inc();
  }

  defect(): void {
    this.#defects.inc();
  }

  generated({ promptTokens, cachedTokens, completionTokens, timings }: GenerationResult): void {
    this.#promptTokens.inc(promptTokens);
    this.#cachedTokens.inc(cachedTokens);
    const { waiting, prompt, generation } = timings;
    this.#queueSeconds.observe(waiting / 1000);
    this.#firstTokenSeconds.observe((waiting + prompt) / 1000);
    this.#wholeSeconds.observe((waiting + prompt + generation) / 1000);
    if (completionTokens > 1) this.#tokenSeconds.observe(generation / 1000 / (completionTokens - 1));
  }

  #engine(statistics: () => EngineStatistics | undefined): void {
    const gauge = (name: string, help: string, value: (now: EngineStatistics) => number) =>
      this.#gauge(name, help, () => apply(statistics(), value));
    const total = (name: string, help: string, value: (now: EngineStatistics) => number) =>
      this.#total(name, help, () => apply(statistics(), value));
    gauge('num_requests_running', 'Sequences that the engine computes', ({ running }) => running);
    gauge('num_requests_waiting', 'Sequences that wait for the engine', ({ waiting }) => waiting);
    gauge('kv_cache_usage_perc', 'Share of the KV cache that sequences use; 1 is all of it', usage);
    total('prefix_cache_queries_total', 'Tokens of prompts that were looked for', ({ promptTokens }) => promptTokens);
    total('prefix_cache_hits_total', 'Of these, found in the KV cache', ({ prefixHitTokens }) => prefixHitTokens);
    total('num_preemptions_total', 'Sequences that gave up their KV cache', ({ preemptions }) => preemptions);
    total('engine_steps_total', 'Steps of the engine', ({ steps }) => steps);
    total('engine_rows_total', 'Rows of these steps', ({ rows }) => rows);
  }

  #counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name: `realizar_${name}`, help, labelNames, registers: [this.registry] });
  }

  /** A counter that somebody else keeps. */
  #total(name: string, help: string, value: () => number): void {
    const collect = function (this: Counter) {
      this.reset();
      this.inc(value());
    };
    new Counter({ name: `realizar_${name}`, help, registers: [this.registry], collect });
  }

  #histogram(name: string, help: string, buckets: number[], labelNames: string[] = []): Histogram {
    return new Histogram({ name: `realizar_${name}`, help, buckets, labelNames, registers: [this.registry] });
  }

  #gauge(name: string, help: string, value: () => number | Promise<number>): void {
    const collect = async function (this: Gauge) {
      this.set(await value());
    };
    new Gauge({ name: `realizar_${name}`, help, registers: [this.registry], collect });
  }
}

const apply = (now: EngineStatistics | undefined, value: (now: EngineStatistics) => number) => (now ? value(now) : 0);

/** Of the kind of page that is rarer. */
function usage({ pages, freePages, windowPages, freeWindowPages }: EngineStatistics): number {
  const share = (all: number, free: number) => (all > 0 ? (all - free) / all : 0);
  return Math.max(share(pages, freePages), share(windowPages, freeWindowPages));
}
