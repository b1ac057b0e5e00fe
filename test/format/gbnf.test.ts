/** Grammars of llama.cpp: what they take, and what is wrong with them. */
import { describe, expect, it } from 'vitest';
import { gbnf } from '../../runtime/format/gbnf.js';
import { accepts, automatonOf } from './support.js';

const ARITHMETIC = `
# from llama.cpp's grammars/arithmetic.gbnf
root  ::= (expr "=" ws term "\\n")+
expr  ::= term ([-+*/] term)*
term  ::= ident | num | "(" ws expr ")" ws
ident ::= [a-z] [a-z0-9_]* ws
num   ::= [0-9]+ ws
ws    ::= [ \\t\\n]*
`;
const LIST = `
root ::= item+

# Excludes various line break characters
item ::= "- " [^\\r\\n\\x0b\\x0c\\x85\\u2028\\u2029]+ "\\n"
`;

describe('a grammar', () => {
  it.each([
    [ARITHMETIC, ['1=2\n', 'a1+(b *3)=x\nq=(1)\n'], ['', '1=', '1+=2\n', '(1=2\n']],
    [LIST, ['- a\n- é\u{1f600} b\n'], ['- a', '-a\n', '- \u2028\n']],
    ['root ::= "a"{2,3} | [x-z]{2} | "q"{1,}', ['aa', 'aaa', 'xz', 'qqqq'], ['a', 'aaaa', 'xyz', '']],
    ['root ::= a | b\na ::= "a" |\n  "c"\nb ::= ("b"\n  "d")?\n', ['a', 'c', 'bd', ''], ['b', 'ad']],
    [
      'root ::= "\\"\\\\\\x41\\u00e9\\U0001F600]" [\\]\\-a] .',
      ['"\\Aé\u{1f600}]]x', '"\\Aé\u{1f600}]-é'],
      ['"\\Aé\u{1f600}]bx'],
    ],
    ['root ::= "(" root ")" | ""', ['', '((()))'], ['(()']],
    ['root ::= [^"]* # the rest\n', ['abc'], ['"']],
  ])('%s', (source, taken, refused) => {
    const automaton = automatonOf(gbnf(source));
    for (const text of taken) expect(accepts(automaton, text), text).toBe(true);
    for (const text of refused) expect(accepts(automaton, text), text).toBe(false);
  });

  it.each([
    ['', 'the grammar has no rule "root"'],
    ['root ::= x', 'the grammar has no rule "x"'],
    ['root ::= "a', 'line 1: expected an end of the text or class on its line'],
    ['a ::= "x"\nroot ::= ("a"', 'line 2: expected ")"'],
    ['root = "a"', 'line 1: expected "::="'],
    ['root ::= "a"\nroot ::= "b"', 'expected one rule "root", not two'],
    ['root ::= "a" )', 'expected the end of the rule'],
    ['root ::= root "a" | "b"', 'the rule root begins with itself'],
    ['root ::= a\na ::= ""? b\nb ::= a "x" | "y"', 'begins with itself'],
    ['root ::= "a" root', 'no text satisfies it'],
    ['root ::= "\\ud800"', 'expected the code of a character'],
  ])('%s is refused', (source, message) => {
    expect(() => automatonOf(gbnf(source))).toThrow(message);
  });
});
