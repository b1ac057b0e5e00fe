/** What a template can fail with, by the names that Python and Jinja2 have for it. */
type Kind =
  | 'AssertionError'
  | 'AttributeError'
  | 'FilterArgumentError'
  | 'IndexError'
  | 'KeyError'
  | 'LimitError'
  | 'OverflowError'
  | 'SecurityError'
  | 'TemplateError'
  | 'TemplateRuntimeError'
  | 'TemplateSyntaxError'
  | 'TypeError'
  | 'UndefinedError'
  | 'Unsupported'
  | 'ValueError'
  | 'ZeroDivisionError';

export class JinjaError extends Error {
  override name = 'JinjaError';
  /** Of the template, from 1; absent where it is not known yet. */
  line: number | undefined;

  constructor(
    readonly kind: Kind,
    message: string,
    line?: number,
  ) {
    super(message);
    this.line = line;
  }
}

export const typeError = (message: string) => new JinjaError('TypeError', message);
export const valueError = (message: string) => new JinjaError('ValueError', message);
export const unsupported = (what: string) => new JinjaError('Unsupported', `${what} is not supported`);

/** UTF-16 units of one text, and items of one list: a template is a foreign program, so what it may build is bounded. */
const MAX_TEXT = 1 << 25;
const MAX_ITEMS = 1 << 22;

export function checkText(length: number): void {
  if (length > MAX_TEXT)
    throw new JinjaError('LimitError', `expected at most ${MAX_TEXT} characters from it, found ${length}`);
}

export function checkItems(length: number): void {
  if (length > MAX_ITEMS)
    throw new JinjaError('LimitError', `expected lists of at most ${MAX_ITEMS} items, found ${length}`);
}
