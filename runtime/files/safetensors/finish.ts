/** The keys of config.json that nothing is computed from: each is taken or refused by name. */
import { isBookkeeping } from './bookkeeping.js';
import type { ConfigReader } from './config_reader.js';
import type { ModelType } from './models/model_type.js';
import { type Facts, only, type Rules, ruleOf } from './rules.js';
import { SHARED_RULES } from './shared_rules.js';

const NEIGHBOURS = only('pairs of rope that are no neighbours', true);
/** Where pairs are neighbours. */
const ADJACENT: Rules = { rope_interleaved: NEIGHBOURS, rope_interleave: NEIGHBOURS };

/** Errors: UnsupportedError that names a key, and what it asks for where that is known. */
export function finishConfig(config: ConfigReader, type: ModelType, facts: Facts): void {
  const rules: Rules = { ...SHARED_RULES, ...(type.adjacentPairs && ADJACENT), ...type.rules };
  for (const [key, value] of config.unasked()) {
    const rule = ruleOf(rules, key) ?? (isBookkeeping(key) ? 'unused' : undefined);
    if (rule === 'unused' || rule?.holds(value, facts)) continue;
    if (rule?.feature === undefined) config.unknown(type.architecture, key);
    config.refuse(key, rule.feature, rule.needed(facts));
  }
}
