/** What /metrics tells Prometheus. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Activity, GenerationResult } from '../llm/index.js';
import type { Admission } from './admission.js';
import type { Connections } from './connections.js';
import type { Log } from './log.js';

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const TOKEN_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** What is asked when somebody looks. */
interface Watched {
  readonly activity: () => Activity;
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
  readonly #completionTokens = this.#counter('completion_tokens_total', 'Tokens generated');
  readonly #cancelled = this.#counter('generations_cancelled_total', 'Generations ended before they were done');
  readonly #defects = this.#counter('defects_total', 'Failures outside of any request that the server survived');
  readonly #queueSeconds = this.#histogram('queue_wait_seconds', 'Until a generation had a slot', SECONDS);
  readonly #firstTokenSeconds = this.#histogram(
    'time_to_first_token_seconds',
    'From the slot to the first token: the prompt',
    SECONDS,
  );
  readonly #tokenSeconds = this.#histogram('time_per_output_token_seconds', 'Mean of a generation', TOKEN_SECONDS);

  constructor({ activity, admission, texts, connections, log }: Watched) {
    collectDefaultMetrics({ register: this.registry });
    this.#gauge('slots', 'Generations that can run at once', () => admission.slots);
    this.#gauge('slots_busy', 'Generations that run', () => activity().running);
    this.#gauge('queue_length', 'Generations that wait for a slot', () => activity().waiting);
    this.#gauge('queue_limit', 'Generations that may wait for a slot', () => admission.queueLimit);
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

  token(): void {
    this.#completionTokens.inc();
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
    this.#queueSeconds.observe(timings.waiting / 1000);
    this.#firstTokenSeconds.observe(timings.prompt / 1000);
    if (completionTokens > 1) this.#tokenSeconds.observe(timings.generation / 1000 / (completionTokens - 1));
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
