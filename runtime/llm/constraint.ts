/** Holds the sequences of a request to a format: each token's mask is made when the token before it has come. */
import type { RunControl } from '../addon/engine.js';
import type { EngineEvent } from '../addon/index.js';
import type { Format } from '../format/format.js';
import type { Formats, FormattedText } from './formats.js';

interface Held {
  readonly text: FormattedText;
  chosen: number;
  ended: boolean;
}

export class Constraint {
  readonly #held: Held[];
  #run: RunControl | undefined;

  /** `onFailure`: the sequence cannot go on; it is to hear why. */
  constructor(
    formats: Formats,
    { format, continues, count }: { format: Format; continues: boolean; count: number },
    private readonly onFailure: (index: number, error: unknown) => void,
  ) {
    this.#held = Array.from({ length: count }, () => ({
      ...{ text: formats.begin(format, continues), chosen: 0, ended: false },
    }));
  }

  /** The request is under way. */
  start(run: RunControl): void {
    this.#run = run;
    for (const [index, { text }] of this.#held.entries()) this.#set(index, text.first);
  }

  hear(event: EngineEvent): void {
    const held = this.#held[event.index]!;
    if (event.kind === 'end') {
      held.ended = true;
      held.text.end();
    } else if (event.kind === 'token') {
      held.chosen++;
      this.#set(event.index, held.text.after(event.token));
    }
  }

  /** The request is over, whatever its sequences had. */
  end(): void {
    for (const held of this.#held) {
      if (!held.ended) held.text.end();
      held.ended = true;
    }
  }

  #set(index: number, mask: Promise<Uint32Array>): void {
    const held = this.#held[index]!;
    const { chosen } = held;
    mask
      .then((words) => {
        if (!held.ended) this.#run!.setMask(chosen, words, index);
      })
      .catch((error: unknown) => {
        if (!held.ended) this.onFailure(index, error);
      });
  }
}
