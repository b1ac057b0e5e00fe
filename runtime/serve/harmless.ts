/** Values of parameters that ask for nothing beyond what this server does. */
/** In words, and as a question. */
export interface Harmless {
  readonly words: string;
  readonly holds: (value: unknown, body: Readonly<Record<string, unknown>>) => boolean;
}

/** One of these. JSON shows them. */
export const oneOf = (...values: readonly unknown[]): Harmless => ({
  words: values.map((value) => JSON.stringify(value)).join(', '),
  holds: (value) => values.includes(value),
});
export const empty: Harmless = {
  words: 'empty',
  holds: (value) => typeof value === 'object' && value !== null && Object.keys(value).length === 0,
};
export const atMost = (limit: number): Harmless => ({
  words: `at most ${limit}`,
  holds: (value) => typeof value === 'number' && value <= limit,
});
export const atLeast = (limit: number): Harmless => ({
  words: `at least ${limit}`,
  holds: (value) => typeof value === 'number' && value >= limit,
});

/** llama.cpp's order, and what of it this server does. */
const SAMPLERS = ['penalties', 'top_k', 'top_p', 'min_p', 'temperature'];
const OFF = new Set(['dry', 'top_n_sigma', 'typ_p', 'typical_p', 'xtc', 'adaptive_p']);
export const samplerOrder: Harmless = {
  words: "llama.cpp's order: penalties, top_k, top_p, min_p, temperature, whatever is off between them",
  holds: (value) => Array.isArray(value) && value.filter((name) => !OFF.has(name)).join() === SAMPLERS.join(),
};
export const textAlone: Harmless = {
  words: '["text"]',
  holds: (value) => Array.isArray(value) && value.every((item) => item === 'text'),
};
export const asMany: Harmless = { words: 'as n', holds: (value, { n }) => value === (n ?? 1) };

const PENALTIES = ['repeat_penalty', 'repetition_penalty', 'presence_penalty', 'frequency_penalty'];
export const withoutPenalties: Harmless = {
  words: 'true, or no penalties',
  holds: (value, body) => value === true || (value === false && PENALTIES.every((name) => body[name] == null)),
};
