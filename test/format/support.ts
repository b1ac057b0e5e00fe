/** Texts of a format, as a model that knows nothing writes them. */
import { Automaton, DEAD } from '../../runtime/format/automaton.js';
import type { Rule } from '../../runtime/format/expression.js';
import { buildNetwork } from '../../runtime/format/network.js';
import { schemaRule } from '../../runtime/format/schema/schema.js';
import type { Random } from '../support/random.js';

const CLOSING = [...'"}]0'].map((char) => char.charCodeAt(0));
const ENDLESS = 20_000;

export const automatonOf = (rule: Rule): Automaton => new Automaton(buildNetwork(rule));

/** States are drawn among those that may follow, and a byte that leads there; after `most` bytes what closes things mostly comes first. */
export function randomText(automaton: Automaton, random: Random, most = 120): string {
  const bytes: number[] = [];
  let state = Automaton.start;
  for (;;) {
    const isLong = bytes.length >= most;
    if (automaton.isFinal(state) && (!automaton.goesOn(state) || isLong || random.integer(5) === 0)) break;
    const ways = new Map<number, number[]>();
    for (let byte = 0; byte < 256; byte++) {
      const next = automaton.step(state, byte);
      if (next !== DEAD) ways.set(next, [...(ways.get(next) ?? []), byte]);
    }
    if (ways.size === 0 || bytes.length > ENDLESS)
      throw new Error(`no end of ${JSON.stringify(String(Buffer.from(bytes)).slice(0, 200))}`);
    const closing =
      isLong && random.integer(8) > 0 ? CLOSING.find((byte) => automaton.step(state, byte) !== DEAD) : undefined;
    const way = [...ways.values()][random.integer(ways.size)]!;
    const byte = closing ?? way[random.integer(way.length)]!;
    bytes.push(byte);
    state = automaton.step(state, byte);
  }
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
}

function stateAfter(automaton: Automaton, text: string): number {
  let state = Automaton.start;
  for (const byte of Buffer.from(text)) if (state !== DEAD) state = automaton.step(state, byte);
  return state;
}

export function accepts(automaton: Automaton, text: string): boolean {
  const state = stateAfter(automaton, text);
  return state !== DEAD && automaton.isFinal(state);
}

export const begins = (automaton: Automaton, text: string): boolean => stateAfter(automaton, text) !== DEAD;

export const schemaAutomaton = (schema: unknown): Automaton => automatonOf(schemaRule(schema));
