/** The engine for Jinja2's language against Jinja2 itself: test/fixtures/jinja/make.py asked it. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { JinjaError } from '../../runtime/text/jinja/errors.js';
import { readJson } from '../../runtime/text/jinja/json.js';
import { strftime } from '../../runtime/text/jinja/strftime.js';
import { Template } from '../../runtime/text/jinja/template.js';
import type { Dict } from '../../runtime/text/jinja/values.js';

const fixture = (name: string) =>
  JSON.parse(readFileSync(new URL(`../fixtures/jinja/${name}`, import.meta.url), 'utf8'));

/** The text; null where the template is refused. */
function render(template: string, variables: string): string | null {
  try {
    return new Template(template).render(readJson(variables) as Dict, 1 << 20);
  } catch (error) {
    if (error instanceof JinjaError) return null;
    throw error;
  }
}

interface Families {
  conversations: Record<string, string>;
  families: Record<string, { template: string; answers: Record<string, string | null> }>;
}

describe('templates of each family, in each kind of conversation', () => {
  const { conversations, families }: Families = fixture('templates.json');
  it.each(Object.entries(families))('%s', (_name, { template, answers }) => {
    const found = Object.entries(conversations).map(([name, variables]) => [name, render(template, variables)]);
    expect(Object.fromEntries(found)).toEqual(answers);
  });
});

describe('expressions', () => {
  const { variables, expressions }: { variables: string; expressions: [string, string | null][] } =
    fixture('expressions.json');
  it('come out as in Jinja2, or are refused as there', () => {
    const found = expressions.map(([template]) => [template, render(template, variables)]);
    expect(found).toEqual(expressions);
  });
});

describe('statements in statements', () => {
  const { variables, statements }: { variables: string; statements: [string, string | null][] } =
    fixture('statements.json');
  it('come out as in Jinja2, or are refused as there', () => {
    const found = statements.map(([template]) => [template, render(template, variables)]);
    expect(found).toEqual(statements);
  });
  it.each([
    ["{% filter replace('a', 'b') %}a{% endfilter %}", 'b'],
    ['{% filter upper | trim %} a {% endfilter %}', 'A'],
    ['{% filter length %}abc{% endfilter %}', null],
    ['{% filter list %}abc{% endfilter %}', null],
    ["{% filter first | default('x') %}{% endfilter %}", 'x'],
    ['{% macro f() %}{% filter wordcount %}a b{% endfilter %}{% endmacro %}{{ f() }}', null],
    ['{% set x | length %}abc{% endset %}{{ x }}', '3'],
  ])('what a block of a filter gives is a text: %s', (template, shown) => {
    expect(render(template, '{}')).toBe(shown);
  });
});

describe('strftime_now', () => {
  const { times, answers }: { times: number[][]; answers: [string, string[]][] } = fixture('strftime.json');
  it.each(answers)('%j', (format, shown) => {
    const found = times.map(([year, month, ...rest]) =>
      strftime(new Date(year!, month! - 1, rest[0], rest[1], rest[2], rest[3]), format),
    );
    expect(found).toEqual(shown);
  });
});

describe('hostile templates', () => {
  it.each([
    ['parentheses', `{{ ${'('.repeat(10_000)} }}`],
    ['ifs', '{% if true %}'.repeat(10_000)],
    ['a chain', `{{ 1${' + 1'.repeat(100_000)} }}`],
    ['a macro that calls itself', '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}'],
    ['a text', "{{ 'a' * 10 ** 12 }}"],
    ['a power', '{{ 10 ** 1000000000 }}'],
    ['a range', '{{ range(100001) }}'],
    ['a width', "{{ '%999999999d' % 1 }}"],
    ['another template', "{% include 'x' %}"],
    ['a change', '{{ [].append(1) }}'],
    ['a private attribute', "{{ ''.__class__.mro() }}"],
  ])('%s is refused', (_name, template) => {
    expect(render(template, '{}')).toBeNull();
  });
});
