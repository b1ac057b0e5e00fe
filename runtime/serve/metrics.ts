/** What /metrics tells Prometheus. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { GenerationResult } from '../llm/index.js';
import type { Admission } from './admission.js';
import type { ServedModel } from './options.js';

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const TOKEN_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

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
  readonly #queueSeconds = this.#histogram('queue_wait_seconds', 'Until a generation had a slot', SECONDS);
  readonly #firstTokenSeconds = this.#histogram(
    'time_to_first_token_seconds',
    'From the slot to the first token: the prompt',
    SECONDS,
  );
  readonly #tokenSeconds = this.#histogram('time_per_output_token_seconds', 'Mean of a generation', TOKEN_SECONDS);

  constructor(model: ServedModel, admission: Admission) {
    collectDefaultMetrics({ register: this.registry });
    this.#gauge('slots', 'Generations that can run at once', () => admission.slots);
    this.#gauge('slots_busy', 'Generations that run', () => model.activity.running);
    this.#gauge('queue_length', 'Generations that wait for a slot', () => model.activity.waiting);
    this.#gauge('queue_limit', 'Generations that may wait for a slot', () => admission.queueLimit);
    this.#gauge(
      'places_occupied',
      'Generations that run, wait, or whose answer was not taken yet',
      () => admission.occupied,
    );
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

  #histogram(name: string, help: string, buckets: number[], labelNames: string[] = []): Histogram {
    return new Histogram({ name: `realizar_${name}`, help, buckets, labelNames, registers: [this.registry] });
  }

  #gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name: `realizar_${name}`,
      help,
      registers: [this.registry],
      collect() {
        this.set(value());
      },
    });
  }
}
