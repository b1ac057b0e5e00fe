/** Parameters of a hundred tools: none is refused, and what is written of each is valid. */
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect, it } from 'vitest';
import { Random } from '../support/random.js';
import { randomText, schemaAutomaton } from './support.js';
import { TOOLS } from './tools.js';

const ajv = new Ajv2020.default({ strict: false });
addFormats.default(ajv);

it('there are a hundred', () => {
  expect(Object.keys(TOOLS).length).toBeGreaterThanOrEqual(100);
});

it.each(Object.entries(TOOLS))('%s', (_, schema) => {
  const automaton = schemaAutomaton(schema);
  const validate = ajv.compile(schema);
  const random = new Random(11);
  for (let i = 0; i < 40; i++) {
    const text = randomText(automaton, random, i * 5);
    expect(validate(JSON.parse(text)), `${text}: ${ajv.errorsText(validate.errors)}`).toBe(true);
  }
});
