/** What the page's scripts pass to each other. They are served as they are written: types stand in their comments. */

export type Role = 'user' | 'assistant';

export interface Message {
  readonly role: Role;
  readonly content: string;
  /** Below an answer: its length and pace, or why it is not whole. */
  readonly note?: string;
  /** What the model thought before its answer. */
  readonly thought?: string;
}

export interface Chat {
  readonly id: string;
  /** When it was kept last. */
  time: number;
  readonly messages: Message[];
  /** So many of the oldest messages the model sees no more. */
  dropped: number;
  /** While it was being answered. */
  deleted?: boolean;
}

export interface Usage {
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

/** How an answer ended. */
export interface End {
  finish: string | undefined;
  usage: Usage | undefined;
}

export interface ServedModel {
  readonly id: string;
  readonly context: number;
}

/** Of index.html, by id. */
export interface Elements {
  chatlist: HTMLUListElement;
  chats: HTMLDetailsElement;
  column: HTMLElement;
  empty: HTMLElement;
  error: HTMLElement;
  form: HTMLFormElement;
  full: HTMLElement;
  key: HTMLInputElement;
  maxtokens: HTMLInputElement;
  messages: HTMLOListElement;
  model: HTMLElement;
  new: HTMLButtonElement;
  retry: HTMLButtonElement;
  scroll: HTMLElement;
  send: HTMLButtonElement;
  settings: HTMLDetailsElement;
  stop: HTMLButtonElement;
  system: HTMLTextAreaElement;
  temperature: HTMLInputElement;
  text: HTMLTextAreaElement;
  toend: HTMLButtonElement;
}
