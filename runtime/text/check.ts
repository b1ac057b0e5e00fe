/** What running a model would say about its text, said when it is compiled or looked at. */
import { CompileError } from '../common/errors.js';
import { ChatTemplate } from './chat_template.js';
import { modelSizes, textSource } from './open.js';
import { Tokenizer } from './tokenizer.js';

export interface TextReport {
  /** Why text does not work; null where it does. Token ids work all the same. */
  readonly refusal: string | null;
  /** There is a chat template. */
  readonly chat: boolean;
  /** What of the text side is left out. */
  readonly warnings: readonly string[];
}

/** Of the model at this path, a file or a folder that can be compiled. */
export function checkText(path: string): TextReport {
  try {
    const source = textSource(path);
    const tokenizer = new Tokenizer(source, modelSizes(path, source));
    const chat = ChatTemplate.isIn(source);
    if (chat) new ChatTemplate(source, tokenizer);
    return { refusal: null, chat, warnings: tokenizer.warnings };
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    return { refusal: error.message, chat: false, warnings: [] };
  }
}

/** Lines for a person, of a model at this path. */
export function textLines({ refusal, warnings }: TextReport, path: string): string[] {
  const plain = (text: string) => text.replace(`${path}: `, '');
  if (refusal !== null) return [`text does not work, token ids do: ${plain(refusal)}`];
  return warnings.map((warning) => `warning: ${plain(warning)}`);
}
